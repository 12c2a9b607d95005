// Each row of requirements.tsv is shown by a test or answered by a sentence. This looks at the sources only; whether the
// tests pass is what `npm run conformance` says.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rows } from './rows.ts'
import { answered, answerKinds, answerTo } from './scope.ts'
import { sourcesWithRows } from './sources.ts'

const named = new Set([...sourcesWithRows().values()].flat())

test('every row is shown by a test that names it, or has a reason why not', () => {
  const missing = [...rows.values()].filter((row) => !named.has(row.id) && answerTo(row) === undefined)
  assert.deepEqual(
    missing.map(({ id, level, requirement }) => `${id} ${level}: ${requirement}`),
    [],
  )
})

test('tests and reasons name rows that there are', () => {
  assert.deepEqual(
    [...named, ...answered].filter((id) => !rows.has(id)),
    [],
  )
})

test('no reason stands for a row that a test shows', () => {
  assert.deepEqual(
    answered.filter((id) => named.has(id)),
    [],
  )
})

test('every reason is a sentence of its own, and no MUST is left undone', () => {
  for (const row of rows.values()) {
    const answer = answerTo(row)
    if (answer === undefined) continue
    assert.ok(answerKinds.includes(answer.kind))
    assert.ok(answer.reason.length > 20, row.id)
    if (answer.kind === 'not done') assert.doesNotMatch(row.level, /^MUST/, row.id)
  }
})
