/**
 * What octets of others reach, each behind one function that takes any octets. It throws where the code does what it must
 * never do: fail with something other than the error it promises, send what cannot be read, print control characters.
 */
import assert from 'node:assert/strict'
import type { Family } from '../../sidecar/binding.ts'
import { parseService } from '../../sidecar/config.ts'
import { SidecarError } from '../../sidecar/errors.ts'
import { decodeFeedMessage, decodeReply } from '../../sidecar/feed/decode.ts'
import { DecodeError } from '../../sidecar/feed/decode-error.ts'
import { BulkClient } from '../../sidecar/requestor/bulk-client.ts'
import { ActiveClient } from '../../sidecar/requestor/client.ts'
import { formatJson, formatLine, Historian } from '../../sidecar/requestor/print.ts'
import { decodeMessage4, encodeFrame4 } from '../../sidecar/wire/v4/codec.ts'
import { decodeMessage6, encodeFrame6 } from '../../sidecar/wire/v6/codec.ts'
import { WireError } from '../../sidecar/wire/wire-error.ts'
import { allRights, Driver, START } from '../session/driver.ts'
import { dhcp4, dhcp6, XID } from '../session/families.ts'
import { Input } from './input.ts'
import { planted } from './planted.ts'
import { answerSeeds, feedSeeds, parameterSeeds, querySeeds, wireSeeds } from './seeds.ts'

export interface Target {
  readonly what: string
  /** Throws where `octets` bring a fault to light. */
  readonly run: (octets: Uint8Array) => void
  /** Where the search begins. */
  readonly seeds: () => Uint8Array[]
}

export const targets: Readonly<Record<string, Target>> = {
  wire4: { what: 'a DHCPv4 message', run: wire4, seeds: () => wireSeeds('v4') },
  wire6: { what: 'a DHCPv6 message', run: wire6, seeds: () => wireSeeds('v6') },
  session4: {
    what: 'a DHCPv4 connection: octets, and what happens meanwhile',
    run: (octets) => session(4, octets),
    seeds: () => querySeeds('v4'),
  },
  session6: {
    what: 'a DHCPv6 connection: octets, and what happens meanwhile',
    run: (octets) => session(6, octets),
    seeds: () => querySeeds('v6'),
  },
  feed: { what: 'messages of the feed', run: feed, seeds: feedSeeds },
  parameters: { what: 'the parameters of the service', run: parameters, seeds: parameterSeeds },
  requestor4: {
    what: 'a DHCPv4 server, for a requestor',
    run: (octets) => requestor(4, octets),
    seeds: () => answerSeeds('v4'),
  },
  requestor6: {
    what: 'a DHCPv6 server, for a requestor',
    run: (octets) => requestor(6, octets),
    seeds: () => answerSeeds('v6'),
  },
}

/** @throws Error where there is none of that name */
export function targetNamed(name: string): Target {
  const target = name === 'planted' ? planted : targets[name]
  if (target === undefined) throw new Error(`there is no target '${name}'`)
  return target
}

/** The value, or undefined where it fails as promised. */
function unless<T>(promised: abstract new (...args: never[]) => Error, work: () => T): T | undefined {
  try {
    return work()
  } catch (error) {
    if (error instanceof promised) return undefined
    throw error
  }
}

/** What can be read can be written, and reads the same then. */
function wire4(octets: Uint8Array): void {
  const message = unless(WireError, () => decodeMessage4(octets))
  if (message === undefined) return
  const written = unless(WireError, () => encodeFrame4(message))
  if (written !== undefined) assert.deepEqual(decodeMessage4(written.subarray(2)), message)
}

function wire6(octets: Uint8Array): void {
  const message = unless(WireError, () => decodeMessage6(octets))
  if (message === undefined) return
  const written = unless(WireError, () => encodeFrame6(message))
  if (written !== undefined) assert.deepEqual(decodeMessage6(written.subarray(2)), message)
}

/** A session whose requestor sends anything, at any time, in any pieces. */
function session(family: Family, octets: Uint8Array): void {
  const input = new Input(octets)
  const flags = input.octet()
  const { dialect, binding, read } = family === 4 ? dhcp4 : dhcp6
  const driver = new Driver(dialect, {
    service: { bulkEnabled: (flags & 1) === 0, activeEnabled: (flags & 2) === 0 },
    tls: (flags & 4) === 0 ? { mode: 'off', ready: false } : { mode: 'required', ready: (flags & 8) === 0 },
    configured: { addresses: [] },
  })
  for (let n = 0; n < 3; n++) driver.index.put(binding(n, n), driver.time.now)
  let secured = false
  const steps = [
    () => driver.tell({ type: 'bytes', data: input.octets(input.length16()) }),
    () => driver.receive(input.octets(input.length16())),
    () => driver.answer(1 + (input.octet() & 3)),
    () => driver.take(),
    () => {
      driver.index.put(binding(input.octet() & 7, input.octet() & 7), driver.time.now)
      driver.grew()
    },
    () => driver.pass(input.octet()),
    () => {
      if (driver.startedTls && !secured) driver.tell({ type: 'secured', rights: allRights })
      secured = driver.startedTls
    },
    () => driver.tell({ type: 'terminate', text: 'enough' }),
  ]
  while (!input.done && driver.closed === undefined) steps[input.octet() % steps.length]!()
  if (driver.closed === undefined) driver.settle().tell({ type: 'ended' })
  for (const { octets: frame } of driver.sent) read(frame)
  // What is sent after the end would reach nobody, or somebody else.
  assert.ok(driver.closed !== undefined, 'a connection that ended at the other side is left open')
  assert.deepEqual(driver.session.handle({ type: 'writable' }, driver.time.moment), [])
}

function feed(octets: Uint8Array): void {
  for (const family of [4, 6] as const) {
    unless(DecodeError, () => decodeFeedMessage(octets, family))
    unless(DecodeError, () => decodeReply(octets, family))
  }
}

function parameters(octets: Uint8Array): void {
  const text = Buffer.from(octets).toString('utf8')
  for (const family of [4, 6] as const) {
    const error = unlessMessage(() => parseService(text, family))
    if (error !== undefined) assert.doesNotMatch(error, /undefined|\[object/)
  }
}

function unlessMessage(work: () => unknown): string | undefined {
  try {
    work()
    return undefined
  } catch (error) {
    if (error instanceof SidecarError) return error.message
    throw error
  }
}

/** A server that sends anything: the requestor keeps its word, and what is printed cannot steer a terminal. */
function requestor(family: Family, octets: Uint8Array): void {
  const input = new Input(octets)
  const active = new ActiveClient({
    family,
    xid: XID[family],
    since: (input.octet() & 1) === 0 ? undefined : START,
  })
  const bulk = new BulkClient(family)
  bulk.query({ xid: XID[family], select: { by: 'all' } })
  const historian = new Historian()
  while (!input.done) {
    const piece = input.octets(input.length16())
    const events = unless(SidecarError, () => active.handle(piece, START))
    unless(SidecarError, () => bulk.handle(piece, START))
    if (events === undefined) return
    for (const event of events) {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
      assert.doesNotMatch(formatLine(event, historian) ?? '', /[\x00-\x1f\x7f-\x9f]/)
      JSON.parse(formatJson(event, historian))
    }
  }
}
