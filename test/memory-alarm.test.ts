import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLog } from '../sidecar/log.ts'
import { MemoryAlarm } from '../sidecar/memory-alarm.ts'

test('memory that gets short is told once each time, with what is held and from where on', () => {
  const lines: Record<string, unknown>[] = []
  const log = createLog({ level: 'info', destination: { write: (text) => lines.push(JSON.parse(text)) } })
  let held = 850
  const alarm = new MemoryAlarm(
    log,
    () => held,
    () => 1000,
  )
  const checkedAt = (octets: number) => {
    held = octets
    alarm.check()
    return lines.length
  }
  assert.deepEqual([850, 851, 900, 850, 860].map(checkedAt), [0, 1, 1, 1, 2])
  const { event, bytes, limit } = lines[0]!
  assert.deepEqual({ event, bytes, limit }, { event: 'store.memory', bytes: 851, limit: 850 })
})
