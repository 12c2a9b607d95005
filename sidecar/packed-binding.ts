// A binding as the store keeps it: its octet fields one behind the other in one piece of memory. One object is set on one
// binding after the other, so that a million of them are told without a million objects.
import {
  type Binding,
  type BindingData,
  BindingState,
  type ChangeNumber,
  INFINITE,
  type LogicalSeconds,
  NO_OCTETS,
  type Origin,
  type UnixSeconds,
} from './binding.ts'
import { ROW_WORDS, Word, writeRow } from './record-words.ts'

const HIGH = 0x1_0000_0000
const NO_DATA = new DataView(NO_OCTETS.buffer)

/**
 * Read it and keep nothing: it shows another binding in a moment, and the memory that it points to may be the store's own,
 * which the next change overwrites. The getters make views; who is in a hurry reads {@link words} and {@link data} himself.
 */
export class PackedBinding implements Binding {
  /** 4 or 16. */
  addressLength = 0
  /** Holds the fixed fields from {@link wordsAt} on, each in its place ({@link Word}). */
  words: Uint32Array = new Uint32Array(ROW_WORDS)
  wordsAt = 0
  /** Holds the octet fields; each ends where the next begins. */
  octets: Uint8Array = NO_OCTETS
  /** The same memory as {@link octets}, to be read by words. */
  data: DataView = NO_DATA
  hardwareAddressAt = 0
  clientIdAt = 0
  hostnameAt = 0
  relayAt = 0
  optionsAt = 0
  octetsEnd = 0

  get prefixLength(): number {
    return (this.words[this.wordsAt + Word.kind]! >>> 16) & 0xff
  }
  get state(): BindingState {
    return (this.words[this.wordsAt + Word.kind]! & 0xff) as BindingState
  }
  get origin(): Origin {
    return ((this.words[this.wordsAt + Word.kind]! >>> 8) & 0xff) as Origin
  }
  get subnetId(): number {
    return this.words[this.wordsAt + Word.subnetId]!
  }
  get iaid(): number {
    return this.words[this.wordsAt + Word.iaid]!
  }
  get hardwareType(): number {
    return this.words[this.wordsAt + Word.flags]! & 0xffff
  }
  get validLifetime(): number {
    return this.words[this.wordsAt + Word.validLifetime]!
  }
  get preferredLifetime(): number {
    return this.words[this.wordsAt + Word.preferredLifetime]!
  }
  get clientLastTransaction(): UnixSeconds {
    return this.words[this.wordsAt + Word.clientLastTransaction]!
  }
  get stateSince(): UnixSeconds {
    return this.words[this.wordsAt + Word.stateSince]!
  }
  get changedAt(): LogicalSeconds {
    return this.words[this.wordsAt + Word.changedAt]!
  }
  get changeNumber(): ChangeNumber {
    const { words, wordsAt } = this
    return words[wordsAt + Word.numberHigh]! * HIGH + words[wordsAt + Word.numberLow]!
  }
  /** As {@link expiryOf}. */
  get expiry(): UnixSeconds {
    const { words, wordsAt } = this
    const lifetime = words[wordsAt + Word.validLifetime]!
    return lifetime === INFINITE
      ? Number.POSITIVE_INFINITY
      : words[wordsAt + Word.clientLastTransaction]! + lifetime
  }
  /** As the function of that name. */
  stateAt(now: UnixSeconds): BindingState {
    const { state } = this
    return state === BindingState.active && this.expiry <= now ? BindingState.expired : state
  }
  get address(): Uint8Array {
    const address = new Uint8Array(this.addressLength)
    for (let i = 0; i < address.length; i += 4) {
      const word = this.words[this.wordsAt + Word.address + (i >>> 2)]!
      address[i] = word >>> 24
      address[i + 1] = word >>> 16
      address[i + 2] = word >>> 8
      address[i + 3] = word
    }
    return address
  }
  /** The address of DHCPv4 as a number. */
  get address4(): number {
    return this.words[this.wordsAt + Word.address]!
  }
  get hardwareAddress(): Uint8Array {
    return this.#view(this.hardwareAddressAt, this.clientIdAt)
  }
  get clientId(): Uint8Array {
    return this.#view(this.clientIdAt, this.hostnameAt)
  }
  get hostname(): Uint8Array {
    return this.#view(this.hostnameAt, this.relayAt)
  }
  get relay(): Uint8Array {
    return this.#view(this.relayAt, this.optionsAt)
  }
  get options(): Uint8Array {
    return this.#view(this.optionsAt, this.octetsEnd)
  }

  #view(from: number, to: number): Uint8Array {
    return from === to ? NO_OCTETS : this.octets.subarray(from, to)
  }

  /** Points at the fields, which lie one behind the other from `at` on, by their lengths. */
  setOctets(
    octets: Uint8Array,
    data: DataView,
    at: number,
    hardwareAddress: number,
    clientId: number,
    hostname: number,
    relay: number,
    options: number,
  ): void {
    // Mostly it is the same as before, and writing a reference costs more than looking at it.
    if (this.octets !== octets) {
      this.octets = octets
      this.data = data
    }
    this.hardwareAddressAt = at
    this.clientIdAt = at += hardwareAddress
    this.hostnameAt = at += clientId
    this.relayAt = at += hostname
    this.optionsAt = at += relay
    this.octetsEnd = at + options
  }

  /** Shows a copy of this binding; for an instance that does nothing else. */
  pack(data: BindingData & Partial<Pick<Binding, 'changedAt' | 'changeNumber'>>): this {
    const { address, hardwareAddress, clientId, hostname, relay, options } = data
    const { words } = this
    writeRow(words, 0, data)
    words[Word.changedAt] = data.changedAt ?? 0
    const { changeNumber = 0 } = data
    words[Word.numberHigh] = Math.floor(changeNumber / HIGH)
    words[Word.numberLow] = changeNumber % HIGH
    this.addressLength = address.length
    for (let i = 0; i < address.length; i += 4) {
      words[Word.address + (i >>> 2)] =
        (address[i]! << 24) | (address[i + 1]! << 16) | (address[i + 2]! << 8) | address[i + 3]!
    }
    const length = hardwareAddress.length + clientId.length + hostname.length + relay.length + options.length
    const octets = this.octets.length >= length ? this.octets : new Uint8Array(2 * length)
    const view = octets === this.octets ? this.data : new DataView(octets.buffer)
    let at = 0
    for (const field of [hardwareAddress, clientId, hostname, relay, options]) {
      octets.set(field, at)
      at += field.length
    }
    this.setOctets(
      octets,
      view,
      0,
      hardwareAddress.length,
      clientId.length,
      hostname.length,
      relay.length,
      options.length,
    )
    return this
  }
}
