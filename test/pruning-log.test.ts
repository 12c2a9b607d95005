import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLog } from '../sidecar/log.ts'
import { PruningLog } from '../sidecar/pruning-log.ts'

const WEEK = 604_800
const retention = { seconds: WEEK, maxEnded: 5 }

function pruningLog() {
  const lines: Record<string, unknown>[] = []
  const log = createLog({ level: 'info', destination: { write: (text) => lines.push(JSON.parse(text)) } })
  return { lines, pruning: new PruningLog(log) }
}

test('a history cut short by history.max-ended is told as an error, at most each ten minutes while it goes on', () => {
  const { lines, pruning } = pruningLog()
  const now = 2 * WEEK
  for (let second = 0; second < 1_300; second++) {
    pruning.pruned(1)
    pruning.cutShort()
    pruning.tell(now - 3_600, retention, now, 1_000 * second)
  }
  const short = lines.filter((line) => line['event'] === 'index.cut-short')
  assert.equal(short.length, 3)
  assert.equal(short[0]!['level'], 50)
  assert.equal(short[0]!['horizon'], now - 3_600)
  assert.match(
    String(short[0]!['msg']),
    /more than history\.max-ended \(5\) .* reaches back 3600 s instead of 604800/,
  )
  assert.match(pruning.problem ?? '', /reaches back 3600 s instead of 604800, .* DataMissing/)
  pruning.tell(now - WEEK, retention, now, 1_300_000)
  assert.equal(pruning.problem, undefined, 'over when history is as long as it should be again')
})

test('a history that begins only in the next second reaches back for no time, not for less', () => {
  const { lines, pruning } = pruningLog()
  pruning.cutShort()
  pruning.tell(2 * WEEK + 1, retention, 2 * WEEK, 0)
  assert.match(String(lines[0]!['msg']), /reaches back 0 s instead of/)
})

test('ends forgotten for their age are counted, a line a minute, and are no problem', () => {
  const { lines, pruning } = pruningLog()
  for (let second = 0; second < 90; second++) {
    pruning.pruned(2)
    pruning.tell(WEEK, retention, 2 * WEEK, 1_000 * second)
  }
  assert.deepEqual(
    lines.map(({ event, count }) => [event, count]),
    [
      ['index.pruned', 2],
      ['index.pruned', 120],
    ],
  )
  assert.equal(pruning.problem, undefined)
})
