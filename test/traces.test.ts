import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { packageRoot } from './support/package-root.ts'
import { traces } from './traces.ts'

test('every test that a trace names is there', () => {
  const missing: string[] = []
  for (const { shownBy } of traces) {
    for (const [file, titles] of Object.entries(shownBy)) {
      const path = join(packageRoot, file)
      const source = existsSync(path) ? readFileSync(path, 'utf8') : ''
      for (const title of titles) if (!has(source, file, title)) missing.push(`${file}: ${title}`)
    }
  }
  assert.deepEqual(missing, [])
})

test('every trace is shown by a test, or has a reason why none can', () => {
  for (const { wrong, shownBy, because } of traces) {
    assert.ok(wrong.length > 30 && wrong.endsWith('.'), wrong)
    if (because === undefined) assert.ok(Object.values(shownBy).flat().length > 0, wrong)
    else assert.ok(because.length > 30 && because.endsWith('.'), because)
  }
  assert.equal(new Set(traces.map(({ wrong }) => wrong)).size, traces.length)
})

/** A whole title as a string of the source, behind the ids of the rows that it shows; in C++ a function. */
function has(source: string, file: string, title: string): boolean {
  if (file.endsWith('.cc')) return source.includes(`void ${title}()`) && source.split(title).length > 2
  return ["'", '"', '`'].some((quote) =>
    [quote, ': ', '}'].some((before) => source.includes(before + title + quote)),
  )
}
