// leasequery mirror, and leasequery show
import { createWriteStream } from 'node:fs'
import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { badFlag } from '../flags.ts'
import type { MirrorCommand } from './arguments.ts'
import { DATA_TIMEOUT_SECONDS, RECEIVE_TIMEOUT_SECONDS } from './connection.ts'
import type { DeliveryNote, Receiver } from './mirror/delivery.ts'
import { Mirror, RETRY_SECONDS } from './mirror/mirror.ts'
import { execReceiver, jsonlReceiver, webhookReceiver } from './mirror/receivers.ts'
import { Replica } from './mirror/replica.ts'
import type { MirrorNote } from './mirror/server-mirror.ts'
import { MirrorView } from './mirror/view.ts'
import { complain, exitCodeOf, onInterrupt, print, readOwn, readTlsFiles, warnOfTimeouts } from './tool.ts'

type Note = (MirrorNote & { readonly server: string }) | DeliveryNote

export function mirror(command: MirrorCommand): Promise<number> {
  warnOfTimeouts([
    { flag: '--retry', value: command.retrySeconds, least: RETRY_SECONDS },
    { flag: '--receive-timeout', value: command.receiveTimeout, least: RECEIVE_TIMEOUT_SECONDS },
    { flag: '--data-timeout', value: command.dataTimeout, least: DATA_TIMEOUT_SECONDS },
  ])
  // What is known here is as private as the server's own (RFC 7724 section 9).
  process.umask(0o077)
  return exitCodeOf(async () => {
    const { family, servers, state, renewals, pollSeconds, duid, wants } = command
    let broken: (error: unknown) => void = () => {}
    const outputGone = new Promise<never>((_, reject) => {
      broken = reject
    })
    outputGone.catch(() => {})
    const view = new MirrorView(command.json, process.stdout)
    const running = await Mirror.start({
      family,
      servers,
      path: state,
      tls: readTlsFiles(command.tlsFiles) ?? 'off',
      receivers: receiversOf(command),
      renewals,
      pollSeconds,
      duid,
      wants,
      ...given('retrySeconds', command.retrySeconds),
      ...given('receiveTimeout', command.receiveTimeout),
      ...given('dataTimeout', command.dataTimeout),
      ...given('maxBindings', command.maxBindings),
      note: (note: Note) => view.note(note, Date.now() / 1000, broken),
    })
    view.follow(() => running.status)
    const stopped = new Promise<void>((resolve) => onInterrupt(resolve))
    process.on('SIGUSR1', () => {
      writeReplica(running, state).catch((error) => complain(`replica.jsonl: ${error.message}`))
    })
    try {
      await Promise.race([stopped, running.failed, outputGone])
    } finally {
      view.close()
      await running.close()
    }
    return 0
  })
}

function given<K extends string>(name: K, value: number | undefined): { [name in K]?: number } {
  return value === undefined ? {} : ({ [name]: value } as { [name in K]: number })
}

function receiversOf({ exec, jsonl, webhook, webhookHeaders }: MirrorCommand): Receiver[] {
  const receivers: Receiver[] = []
  if (exec !== undefined) receivers.push(execReceiver(exec))
  if (jsonl !== undefined) receivers.push(jsonlReceiver(jsonl))
  if (webhook !== undefined)
    receivers.push(webhookReceiver(webhook, Object.fromEntries(webhookHeaders.map(header))))
  return receivers
}

function header(given: string): [string, string] {
  const text = given.startsWith('@') ? readOwn(given.slice(1)).toString().trim() : given
  const colon = text.indexOf(':')
  if (colon < 1) throw badFlag('--webhook-header', `${given} is no NAME: VALUE`)
  return [text.slice(0, colon).trim(), text.slice(colon + 1).trim()]
}

/** Whole or not at all: whoever reads it sees the old one or the new one. */
async function writeReplica(running: Mirror, state: string): Promise<void> {
  const path = join(state, 'replica.jsonl')
  const lines = async function* () {
    for await (const { key, binding } of running.bindings()) yield `${JSON.stringify({ key, ...binding })}\n`
  }
  await pipeline(lines, createWriteStream(`${path}.new`, { mode: 0o600 }))
  await rename(`${path}.new`, path)
}

export function show(state: string, json: boolean): Promise<number> {
  return exitCodeOf(async () => {
    const replica = await Replica.openToRead(state)
    try {
      for await (const { key, binding } of replica.bindings()) {
        const { expires, relay } = binding
        const until =
          expires === null ? '' : expires === 'infinite' ? 'ever' : new Date(1000 * expires).toISOString()
        const cells = [
          key.padEnd(binding.family === 4 ? 15 : 39),
          binding['hardware-address'] ?? binding['client-id'] ?? '-',
          `until ${until}`,
          ...(relay?.['next-hop'] ? [`via ${relay['next-hop']}`] : []),
        ]
        await print(json ? `${JSON.stringify({ key, ...binding })}\n` : `${cells.join('  ')}\n`)
      }
    } finally {
      await replica.close()
    }
    return 0
  })
}
