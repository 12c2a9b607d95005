import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SidecarError } from '../sidecar/errors.ts'
import { createLog } from '../sidecar/log.ts'
import { type LogLevel, logLines } from '../sidecar/log-lines.ts'

function logTo(level: LogLevel) {
  const lines: Record<string, unknown>[] = []
  const log = createLog({ level, destination: { write: (text) => lines.push(JSON.parse(text)) } })
  return { lines, log }
}

test('a line has its event, its fields, the context of its child logger and a sentence', () => {
  const { lines, log } = logTo('info')
  log.child({ family: 4, conn: 7 }).listenerStarted({ address: '192.0.2.1', port: 67 })
  const { time, ...line } = lines[0]!
  assert.match(String(time), /^\d{4}-\d\d-\d\dT/)
  assert.deepEqual(line, {
    level: 30,
    event: 'listener.started',
    family: 4,
    conn: 7,
    address: '192.0.2.1',
    port: 67,
    msg: 'listening on 192.0.2.1 port 67',
  })
})

test('lines below the level are not written', () => {
  const { lines, log } = logTo('warn')
  log.requestorConnected({ port: 1 })
  assert.equal(lines.length, 0)
})

test('an error carries its code and its causes', () => {
  const { lines, log } = logTo('info')
  const cause = Object.assign(new Error('no space left'), { code: 'ENOSPC' })
  log.storeWriteFailed({
    error: new SidecarError('ALQ_LISTEN', { address: '::1', port: 1, reason: 'full' }, { cause }),
  })
  assert.deepEqual(lines[0]?.['error'], {
    reason: 'cannot listen on ::1 port 1: full',
    code: 'ALQ_LISTEN',
    cause: { reason: 'no space left', code: 'ENOSPC' },
  })
})

test('what identifies people is redacted from info on', () => {
  const { lines, log } = logTo('trace')
  const fields = { note: 'x', duid: '000100', hardwareAddress: '02:00', remoteId: 'cpe', clientId: '01' }
  log.sessionNote(fields)
  log.feedConnected({ endpoint: 'e', kea: '3', epoch: 'f', ...fields } as never)
  assert.equal(lines[0]?.['duid'], '000100')
  for (const name of ['duid', 'hardwareAddress', 'remoteId', 'clientId']) {
    assert.equal(lines[1]?.[name], '[redacted]')
  }
})

test('event names are dotted and unique', () => {
  const events = Object.values(logLines).map((line) => line.event)
  for (const event of events) assert.match(event, /^[a-z]+\.[a-z-]+$/)
  assert.equal(new Set(events).size, events.length)
})
