// The status page in a browser, over a daemon and the hook's core: what an operator sees, hears and can do in each situation.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertAccessible, assertReflows } from '../support/accessibility.ts'
import { Browser, type Page, withoutBrowser } from '../support/browser.ts'
import { byClient, Daemon, lease, startHook } from '../support/daemon.ts'
import { serviceJson } from '../support/requestor-service.ts'

const skip = withoutBrowser()
/** Loopback has many addresses: nobody else takes the port of this one between two runs of a daemon. */
const anyPort = '127.0.77.1:0'
const wide = { width: 1280, height: 900 } as const

/** A daemon that is looked at. */
class Watched extends Daemon {
  readonly #browser: Browser
  page!: Page

  private constructor(browser: Browser) {
    super([4])
    this.#browser = browser
  }

  static async look(): Promise<Watched> {
    const watched = new Watched(await Browser.start())
    await watched.start('--metrics', anyPort)
    watched.page = await watched.#browser.open(`http://${await watched.place()}/`, wide)
    return watched
  }

  async place(): Promise<string> {
    return String((await this.logged('operations.started'))['place'])
  }

  /** Waits until the page says it, in whatever part of it. */
  async says(text: string | RegExp): Promise<void> {
    const pattern = typeof text === 'string' ? text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&') : text.source
    const expression = `new RegExp(${JSON.stringify(pattern)}).test(document.body.innerText)`
    await this.page.until(`the page to say ${text}`, expression).catch(async (error: Error) => {
      throw new Error(`${error.message}; it says:\n${await this.page.text()}`)
    })
  }

  /** Nothing is wrong with it for anybody, in any light, on any screen. */
  async isAccessible(situation: string): Promise<void> {
    for (const scheme of ['light', 'dark'] as const) {
      await this.page.resize({ ...wide, scheme })
      await assertAccessible(this.page, `${situation}, ${scheme}`)
      await this.page.resize({ width: 390, height: 844, scheme })
      await assertAccessible(this.page, `${situation}, ${scheme}, on a phone`)
    }
    await assertReflows(this.page, situation)
    await this.page.resize(wide)
    assert.deepEqual(this.page.complaints, [], `${situation}: complaints of the browser`)
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser[Symbol.asyncDispose]()
    await super[Symbol.asyncDispose]()
  }
}

test('all is well: it says so, shows feed, requestors and changes as they come, and names nobody', {
  skip,
}, async () => {
  await using watched = await Watched.look()
  const { page } = watched
  await watched.says('Not ready')
  await watched.says('see whether kea-dhcp4 runs')
  using core = startHook(watched, 4)
  for (let n = 1; n <= 25; n++) core.put(lease(`192.0.2.${n}`, n), byClient)
  await watched.says('All is well: DHCPv4 is followed and served.')
  // Said to those who hear the page, once.
  const spoken = `document.getElementById('spoken').textContent.startsWith('All is well')`
  await page.until('the turn to be spoken', spoken)
  await watched.says('No requestor is connected.')
  await watched.says(/25\s+active bindings/)
  const requestor = await watched.connect(4)
  await requestor.until(({ type }) => type === 'accepted')
  await watched.says(/127\.0\.0\.1:\d+\s+DHCPv4, without certificate\s+Active, follows/)
  core.put(lease('192.0.2.200', 200), byClient)
  await watched.says(/192\.0\.2\.200\s+granted\s+client/)
  assert.match(await page.evaluate('document.title'), /^kea-leasequery: all is well$/)
  const html = await page.evaluate<string>('document.documentElement.outerHTML')
  assert.doesNotMatch(html, /02:?00:?5e/i)
  await watched.isAccessible('all is well')
})

test('the keyboard reaches everything, sees where it is, and can hold the list still', { skip }, async () => {
  await using watched = await Watched.look()
  const { page } = watched
  using core = startHook(watched, 4)
  core.put(lease('192.0.2.1', 1), byClient)
  await watched.says(/192\.0\.2\.1\s+granted/)
  const reached: string[] = []
  for (let i = 0; i < 6; i++) {
    await page.press('Tab')
    const { text, outline } = await page.evaluate<{ text: string; outline: string }>(
      '({ text: document.activeElement.textContent, outline: getComputedStyle(document.activeElement).outlineStyle })',
    )
    assert.equal(outline, 'solid', text)
    reached.push(text)
    if (text !== 'Pause') continue
    await page.press('Enter')
    assert.equal(await page.evaluate('document.activeElement.ariaPressed'), 'true')
    core.put(lease('192.0.2.2', 2), byClient)
    await watched.says(/2\s+active bindings/)
    assert.doesNotMatch(await page.text(), /192\.0\.2\.2\s+granted/)
    await page.press('Enter')
    await watched.says(/192\.0\.2\.2\s+granted/)
  }
  assert.deepEqual(reached, ['Skip to the status', 'Pause', 'status.json', 'metrics', 'ready', 'live'])
})

test('the feed is silent: it says for how long, and what to look at', { skip }, async () => {
  await using watched = await Watched.look()
  {
    using core = startHook(watched, 4)
    core.put(lease('192.0.2.1', 1), byClient)
    await watched.says('All is well')
  }
  await watched.says('Not ready: requestors may get old answers, or none.')
  await watched.says(/DHCPv4: Kea has not been heard for \d+ s/)
  await watched.says('hooks-libraries still have libdhcp_lease_feed.so')
  await watched.says('Kea is silent')
  await watched.isAccessible('feed silent')
  using core = startHook(watched, 4)
  core.put(lease('192.0.2.1', 1), byClient)
  await watched.says('All is well')
})

test('a requestor stops reading: its row says since when, and how far it is behind', { skip }, async () => {
  await using watched = await Watched.look()
  using core = startHook(watched, 4)
  await watched.logged('feed.reconciled')
  const requestor = await watched.connect(4)
  await requestor.until(({ type }) => type === 'accepted')
  requestor.hold()
  const blocked = '/takes nothing for [0-9]+ s[^]*[0-9,]+ changes/.test(document.body.innerText)'
  for (let round = 0; !(await watched.page.evaluate<boolean>(blocked)); round++) {
    assert.ok(round < 100, await watched.page.text())
    for (let n = 0; n < 10_000; n++) core.put(lease(`10.0.${n >> 8}.${n & 255}`, n), byClient)
    await watched.page.evaluate('new Promise((resolve) => setTimeout(resolve, 500))')
  }
  await watched.isAccessible('requestor blocked')
})

test('parameters are refused: what is wrong stands at the top, and those in force go on', {
  skip,
}, async () => {
  await using watched = await Watched.look()
  using core = startHook(watched, 4)
  await watched.says('All is well')
  core.setService(serviceJson(4, { requesters: ['nonsense'] }))
  await watched.says('Requestors are served, but something needs a look.')
  await watched.says(/DHCPv4: parameter requesters\[0\] is "nonsense"/)
  await watched.says('the last accepted ones; newer ones are wrong')
  await watched.isAccessible('parameters refused')
})

test('the service is stopped under it: it says so, and comes back by itself', { skip }, async () => {
  await using watched = await Watched.look()
  using core = startHook(watched, 4)
  core.put(lease('192.0.2.1', 1), byClient)
  await watched.says('All is well')
  await watched.page.evaluate('document.body.id = "the same page"')
  const place = await watched.place()
  watched.kill('SIGTERM')
  await watched.says(/The service has not answered since \d\d:\d\d:\d\d; what is shown is of then\./)
  assert.equal(await watched.ended(), 0)
  // Those who hear the page are told, too.
  const nodes = await watched.page.accessibilityTree()
  assert.ok(
    nodes.some(
      ({ role, name }) => role?.value === 'StaticText' && /has not answered/.test(name?.value ?? ''),
    ),
  )
  assert.equal(await watched.page.evaluate(`document.getElementById('contact').role`), 'status')
  await watched.start('--metrics', place)
  await watched.page.until('the page to be back', `document.getElementById('contact').hidden`)
  await watched.says('All is well')
  assert.equal(await watched.page.evaluate('document.body.id'), 'the same page')
})

test('what a peer or Kea calls itself is text, whatever it is', { skip }, async () => {
  await using watched = await Watched.look()
  using core = startHook(watched, 4)
  const requestor = await watched.connect(4)
  await requestor.until(({ type }) => type === 'accepted')
  core.put(lease('192.0.2.1', 1), byClient)
  await watched.says('Active, follows')
  const markup = '<img src=x onerror="document.title=1"><script>document.title=1</script>'
  await watched.page.evaluate(`(async () => {
    const { show } = await import('/show.js')
    const status = await (await fetch('/status.json')).json()
    const [family] = status.families
    const evil = ${JSON.stringify(markup)}
    family.service.requestors[0].certificate = evil
    family.service.refusals = [{ requestor: evil, reason: evil, ageSeconds: 1 }]
    family.problems = [{ parameter: '', text: evil }]
    status.verdict = { ready: false, sentence: evil, reasons: [evil], concerns: [evil], advice: [evil] }
    status.host = evil
    show(status, false)
    window.found = document.querySelectorAll('main img, main script, header script').length
    window.told = document.body.innerText.split(evil).length - 1
  })()`)
  assert.equal(await watched.page.evaluate('window.found'), 0)
  assert.ok((await watched.page.evaluate<number>('window.told')) >= 7)
  assert.notEqual(await watched.page.evaluate('document.title'), '1')
})
