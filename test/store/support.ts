// Bindings for tests, and a LevelDB that delays, fails, forgets and tears.
import { type BindingData, BindingState, type Family, Origin } from '../../sidecar/binding.ts'
import type { Level, LevelOperation } from '../../sidecar/store/level.ts'
import { type PackedValues, packValues } from '../../sidecar/store/packed-values.ts'

export function octets(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

export function addressOf(family: Family, i: number): Uint8Array {
  const address = new Uint8Array(family === 4 ? 4 : 16)
  address[0] = family === 4 ? 192 : 0x20
  address[address.length - 2] = i >>> 8
  address[address.length - 1] = i
  return address
}

/**
 * Payload of option 82 (DHCPv4), or body of OPTION_LQ_RELAY_DATA (DHCPv6); empty ids are left out. `inner`, where there is
 * one, is both relay-id and remote-id of a second relay, nearer to the client; DHCPv6 alone.
 */
export function relayOf(
  family: Family,
  relayId: string,
  remoteId: string,
  noise = '',
  inner = '',
): Uint8Array {
  const parts: number[] = []
  if (family === 4) {
    for (const [code, text] of [
      [1, noise],
      [2, remoteId],
      [12, relayId],
    ] as const) {
      if (text !== '') parts.push(code, text.length, ...octets(text))
    }
    return Uint8Array.from(parts)
  }
  parts.push(...new Array(16).fill(0xfe), 12, 0, ...new Array(16).fill(1), ...new Array(16).fill(2))
  for (const [code, text] of [
    [18, noise],
    [37, remoteId],
    [53, relayId],
  ] as const) {
    if (text !== '') parts.push(0, code, 0, text.length, ...octets(text))
  }
  if (inner !== '') {
    const id = octets(inner)
    const message = [12, 0, ...new Array(32).fill(3), 0, 53, 0, id.length, ...id, 0, 37, 0, id.length, ...id]
    parts.push(0, 9, 0, message.length, ...message)
  }
  return Uint8Array.from(parts)
}

export function bindingOf(family: Family, i: number, some: Partial<BindingData> = {}): BindingData {
  return {
    address: addressOf(family, i),
    prefixLength: 0,
    state: BindingState.active,
    origin: Origin.client,
    subnetId: 1,
    iaid: 0,
    hardwareType: 1,
    hardwareAddress: Uint8Array.of(2, 0, 0, 0, i >>> 8, i),
    clientId: Uint8Array.of(9, i >>> 8, i),
    validLifetime: 3600,
    preferredLifetime: 0,
    clientLastTransaction: 1000,
    stateSince: 1000,
    hostname: octets('host'),
    relay: relayOf(family, 'r1', 'x'),
    options: octets('options'),
    ...some,
  }
}

export function plain<T extends BindingData>(data: T): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(data).map(([name, value]) => [
      name,
      value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value,
    ]),
  )
}

/** What the next write does. */
export type Fate =
  /** Is done. */
  | 'write'
  /** Fails, and nothing of it is there. */
  | 'fail'
  /** Fails, but is there all the same. */
  | 'fail-done'
  /** Fails, and the write before it, once acknowledged, is gone too. */
  | 'fail-lose'

/** Where the content has the note, which is no entry of the database. */
const NOTE = 'note'

export class FakeLevel implements Level {
  readonly #content = new Map<string, Buffer>()
  #before: Map<string, Buffer> = new Map()
  /** On the disk itself, and the batches since, which only the operating system has. */
  #synced: Map<string, Buffer>
  #unsynced: (readonly LevelOperation[])[] = []
  #isOpen = false
  #inFlight = 0
  /** Consulted at each write. */
  fate: () => Fate = () => 'write'
  /** Awaited by each write before it does anything. */
  delay: () => Promise<void> = async () => {}
  /** Reopening fails while this is set. */
  openFails = false
  writes = 0
  synced = 0

  constructor(content: ReadonlyMap<string, Buffer> = new Map()) {
    for (const [key, value] of content) this.#content.set(key, value)
    this.#synced = new Map(this.#content)
  }

  /**
   * What is there after a power loss: all that was synced, and of the batches since those that `kept` says. LevelDB leaves
   * out a damaged piece of its log and goes on behind it, so any of them may be missing.
   */
  afterPowerLoss(kept: (batch: number) => boolean): ReadonlyMap<string, Buffer> {
    const content = new Map(this.#synced)
    for (const [i, operations] of this.#unsynced.entries()) if (kept(i)) apply(content, operations)
    return content
  }

  /** What a process that stops now leaves. */
  get content(): ReadonlyMap<string, Buffer> {
    return new Map(this.#content)
  }

  async open(): Promise<void> {
    if (this.openFails) throw new Error('no space left on device')
    this.#isOpen = true
  }

  async close(): Promise<void> {
    this.#isOpen = false
  }

  async restart(): Promise<void> {
    for (const key of this.#content.keys()) if (key !== NOTE) this.#content.delete(key)
    this.#synced = new Map(this.#content)
    this.#unsynced = []
    this.#isOpen = true
  }

  async write(operations: readonly LevelOperation[], sync: boolean): Promise<void> {
    if (!this.#isOpen) throw new Error('not open')
    if (this.#inFlight > 0) throw new Error('two batches in flight')
    this.#inFlight++
    this.writes++
    if (sync) this.synced++
    try {
      await this.delay()
      const fate = this.fate()
      if (fate === 'fail') throw new Error('no space left on device')
      if (fate === 'fail-lose') {
        this.#content.clear()
        for (const [key, value] of this.#before) this.#content.set(key, value)
        throw new Error('input/output error')
      }
      this.#before = new Map(this.#content)
      apply(this.#content, operations)
      this.#unsynced.push(operations)
      if (sync) {
        this.#synced = new Map(this.#content)
        this.#unsynced = []
      }
      if (fate === 'fail-done') throw new Error('input/output error')
    } finally {
      this.#inFlight--
    }
  }

  async writeNote(text: string): Promise<void> {
    this.#content.set(NOTE, Buffer.from(text))
    this.#synced.set(NOTE, Buffer.from(text))
  }

  async readNote(): Promise<string | undefined> {
    return this.#content.get(NOTE)?.toString()
  }

  async read(key: Buffer): Promise<Buffer | undefined> {
    return this.#content.get(key.toString('hex'))
  }

  async *entries(from: Buffer, to: Buffer): AsyncIterable<readonly (readonly [Buffer, Buffer])[]> {
    const keys = [...this.#content.keys()].filter((key) => key !== NOTE).sort()
    const found = keys
      .map((key) => [Buffer.from(key, 'hex'), this.#content.get(key)!] as const)
      .filter(([key]) => Buffer.compare(key, from) >= 0 && Buffer.compare(key, to) < 0)
    for (let i = 0; i < found.length; i += 3) yield found.slice(i, i + 3)
  }

  async *values(from: Buffer, to: Buffer): AsyncIterable<PackedValues> {
    for await (const part of this.entries(from, to)) yield packValues(part.map(([, value]) => value))
  }
}

function apply(content: Map<string, Buffer>, operations: readonly LevelOperation[]): void {
  for (const operation of operations) {
    const key = operation.key.toString('hex')
    if (operation.type === 'put') content.set(key, Buffer.from(operation.value))
    else content.delete(key)
  }
}
