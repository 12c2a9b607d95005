/**
 * What can be found out about a page by program: that those who hear it, who use the keyboard, or who see little, are told
 * all of it. By the accessibility tree, which is what assistive technology meets; colours by what the browser computed.
 */
import assert from 'node:assert/strict'
import type { AccessibleNode, Page } from './browser.ts'

/** WCAG 2.2, 1.4.3: of text, and of large text (24 px, or 18.66 px and bold). */
const LEAST_CONTRAST = 4.5
const LEAST_CONTRAST_LARGE = 3
/** 1.4.10: as narrow as a page may be without having to be moved sideways. */
const NARROWEST = 320

const named = new Set([
  'table',
  'button',
  'link',
  'img',
  'image',
  'region',
  'article',
  'navigation',
  'row header',
])

/** @throws AssertionError that names what is wrong, and where */
export async function assertAccessible(page: Page, where: string): Promise<void> {
  const nodes = await page.accessibilityTree()
  assertNames(nodes, where)
  assertLandmarks(nodes, where)
  assertHeadings(nodes, where)
  await assertTables(page, nodes, where)
  await assertContrast(page, where)
  const doubled = await page.evaluate<string[]>(
    `Array.from(document.querySelectorAll('[id]'), ({ id }) => id).filter((id, i, all) => all.indexOf(id) !== i)`,
  )
  assert.deepEqual(doubled, [], `${where}: ids that are there twice`)
  assert.equal(await page.evaluate('document.documentElement.lang'), 'en', where)
}

/** @throws AssertionError where it has to be moved sideways on the narrowest of screens */
export async function assertReflows(page: Page, where: string): Promise<void> {
  await page.resize({ width: NARROWEST, height: 640 })
  const width = await page.evaluate<number>('document.documentElement.scrollWidth')
  assert.ok(width <= NARROWEST, `${where}: ${width} px wide on a screen of ${NARROWEST}`)
}

const roleOf = ({ role }: AccessibleNode) => role?.value ?? ''
const nameOf = ({ name }: AccessibleNode) => (name?.value ?? '').trim()

function assertNames(nodes: readonly AccessibleNode[], where: string): void {
  for (const node of nodes) {
    if (named.has(roleOf(node))) assert.notEqual(nameOf(node), '', `${where}: a ${roleOf(node)} without name`)
  }
}

function assertLandmarks(nodes: readonly AccessibleNode[], where: string): void {
  for (const role of ['banner', 'main', 'contentinfo', 'navigation']) {
    assert.equal(nodes.filter((node) => roleOf(node) === role).length, 1, `${where}: landmark ${role}`)
  }
}

function assertHeadings(nodes: readonly AccessibleNode[], where: string): void {
  const levels = nodes
    .filter((node) => roleOf(node) === 'heading')
    .map(({ properties }) => Number(properties?.find(({ name }) => name === 'level')?.value.value))
  assert.equal(levels[0], 1, `${where}: the first heading`)
  assert.equal(levels.filter((level) => level === 1).length, 1, `${where}: headings of level 1`)
  for (const [i, level] of levels.entries()) {
    assert.ok(level <= (levels[i - 1] ?? 0) + 1, `${where}: heading levels ${levels.join(' ')}`)
  }
}

/** Whatever the style sheet makes of tables, they remain tables: with heads of columns and rows. */
async function assertTables(page: Page, nodes: readonly AccessibleNode[], where: string): Promise<void> {
  const shown = await page.evaluate<{
    tables: number
    rows: number
    columns: number
    unscoped: number
  }>(`(() => {
    const tables = [...document.querySelectorAll('table')].filter((table) => table.checkVisibility())
    const count = (selector) => tables.reduce((sum, table) => sum + table.querySelectorAll(selector).length, 0)
    return {
      tables: tables.length,
      lines: count('tr'),
      rows: count('tbody tr'),
      columns: count('thead th'),
      unscoped: count('th:not([scope])') + tables.filter((table) => table.caption === null).length,
    }
  })()`)
  assert.equal(shown.unscoped, 0, `${where}: heads without scope, tables without caption`)
  const heads = (role: string) => nodes.filter((node) => roleOf(node) === role).length
  const seen = {
    tables: heads('table'),
    lines: heads('row'),
    rows: heads('rowheader'),
    columns: heads('columnheader'),
  }
  assert.deepEqual({ ...seen, unscoped: 0 }, shown, `${where}: tables in the accessibility tree`)
}

interface Shade {
  readonly text: string
  readonly ratio: number
  readonly large: boolean
}

async function assertContrast(page: Page, where: string): Promise<void> {
  const shades = await page.evaluate<Shade[]>(`(${contrasts})()`)
  assert.ok(shades.length > 20, `${where}: ${shades.length} texts`)
  for (const { text, ratio, large } of shades) {
    const least = large ? LEAST_CONTRAST_LARGE : LEAST_CONTRAST
    assert.ok(ratio >= least, `${where}: contrast ${ratio.toFixed(2)} of "${text}"`)
  }
}

/** Runs in the page: the contrast of each text that is shown to what is behind it (WCAG 2.2, relative luminance). */
const contrasts = `function () {
  const parse = (colour) => {
    const [r, g, b, a = 1] = colour.match(/[\\d.]+/g).map(Number)
    return { rgb: [r, g, b], a }
  }
  const luminance = ({ rgb }) => {
    const [r, g, b] = rgb.map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  const behind = (element) => {
    for (let at = element; at !== null; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor)
      if (colour.a === 1) return colour
      if (colour.a > 0) throw new Error('a background that shines through is not judged')
    }
    throw new Error('nothing is behind it')
  }
  const shades = []
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  for (let node = texts.nextNode(); node !== null; node = texts.nextNode()) {
    const element = node.parentElement
    const text = node.textContent.trim()
    if (text === '' || element.closest('script, template, noscript, .unseen') || !element.checkVisibility()) continue
    const style = getComputedStyle(element)
    const [light, dark] = [luminance(parse(style.color)), luminance(behind(element))].sort((a, b) => b - a)
    const size = parseFloat(style.fontSize)
    shades.push({
      text: text.slice(0, 40),
      ratio: (light + 0.05) / (dark + 0.05),
      large: size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700),
    })
  }
  return shades
}`
