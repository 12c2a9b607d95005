// What is measured beside the status: the event loop, the disk, the process.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { EventLoopDelay } from '../../sidecar/operations/event-loop-delay.ts'
import { folderOctets } from '../../sidecar/operations/folder-size.ts'
import { processFacts } from '../../sidecar/operations/process-facts.ts'
import { waitFor } from '../support/wait.ts'

test('a second in which the event loop stood still for 300 ms counts as one with such a delay', async () => {
  const delay = new EventLoopDelay()
  delay.start()
  const long = () => {
    const { bounds, counts } = delay.state()
    return sum(counts.slice(bounds.indexOf(0.1) + 1))
  }
  const before = long()
  // Once may not do: after each second the monitor begins anew, and has to have looked once again.
  await waitFor('a second in which it stood still', () => {
    const until = performance.now() + 300
    while (performance.now() < until);
    return long() > before
  })
  delay.stop()
})

test('the size of a store is that of its files', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'alq-size-'))
  try {
    assert.equal(await folderOctets(folder), 0)
    writeFileSync(join(folder, 'one'), Buffer.alloc(1000))
    writeFileSync(join(folder, 'two'), Buffer.alloc(234))
    mkdirSync(join(folder, 'below'))
    assert.equal(await folderOctets(folder), 1234)
    assert.equal(await folderOctets(join(folder, 'nowhere')), undefined)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('the process is told of as the kernel sees it, and its start stays the same', async () => {
  const first = processFacts()
  await new Promise((resolve) => setImmediate(resolve))
  const second = processFacts()
  assert.equal(first.startedAt, second.startedAt)
  assert.ok(first.startedAt <= Date.now() / 1000)
  assert.ok(second.cpuSeconds >= first.cpuSeconds && first.cpuSeconds > 0)
  assert.ok(first.residentOctets > first.heapUsedOctets && first.heapUsedOctets > 0)
  assert.ok(first.openFiles! > 2 && first.maxFiles! >= first.openFiles!)
})

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
