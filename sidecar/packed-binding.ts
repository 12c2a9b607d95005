// A binding as the store keeps it: its octet fields one behind the other in one piece of memory. One object is set on one
// binding after the other, so that a million of them are told without a million objects.
import {
  type Binding,
  type BindingData,
  BindingState,
  type ChangeNumber,
  type LogicalSeconds,
  NO_OCTETS,
  Origin,
  type UnixSeconds,
} from './binding.ts'

/** Words of the address of a record made by {@link PackedBinding.pack}. */
const OWN_WORDS = 4
const HIGH = 0x1_0000_0000

/**
 * Read it and keep nothing: it shows another binding in a moment, and the memory that it points to may be the store's own,
 * which the next change overwrites. The getters make views; who is in a hurry reads {@link octets} by itself.
 */
export class PackedBinding implements Binding {
  prefixLength = 0
  state: BindingState = BindingState.available
  origin: Origin = Origin.unknown
  subnetId = 0
  iaid = 0
  hardwareType = 0
  validLifetime = 0
  preferredLifetime = 0
  clientLastTransaction: UnixSeconds = 0
  stateSince: UnixSeconds = 0
  changedAt: LogicalSeconds = 0
  /** The upper part of the change number, and the lower 32 bits of it. */
  numberHigh = 0
  numberLow = 0
  /** 4 or 16. */
  addressLength = 0
  /** The address, four octets a word and the first ones first, from {@link wordsAt} on. */
  words: Uint32Array = new Uint32Array(OWN_WORDS)
  wordsAt = 0
  /** Holds the octet fields; each ends where the next begins. */
  octets: Uint8Array = NO_OCTETS
  hardwareAddressAt = 0
  clientIdAt = 0
  hostnameAt = 0
  relayAt = 0
  optionsAt = 0
  octetsEnd = 0

  get changeNumber(): ChangeNumber {
    return this.numberHigh * HIGH + this.numberLow
  }
  get address(): Uint8Array {
    const address = new Uint8Array(this.addressLength)
    for (let i = 0; i < address.length; i += 4) {
      const word = this.words[this.wordsAt + (i >>> 2)]!
      address[i] = word >>> 24
      address[i + 1] = word >>> 16
      address[i + 2] = word >>> 8
      address[i + 3] = word
    }
    return address
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
    at: number,
    hardwareAddress: number,
    clientId: number,
    hostname: number,
    relay: number,
    options: number,
  ): void {
    this.octets = octets
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
    this.prefixLength = data.prefixLength
    this.state = data.state
    this.origin = data.origin
    this.subnetId = data.subnetId
    this.iaid = data.iaid
    this.hardwareType = data.hardwareType
    this.validLifetime = data.validLifetime
    this.preferredLifetime = data.preferredLifetime
    this.clientLastTransaction = data.clientLastTransaction
    this.stateSince = data.stateSince
    this.changedAt = data.changedAt ?? 0
    const { changeNumber = 0 } = data
    this.numberHigh = Math.floor(changeNumber / HIGH)
    this.numberLow = changeNumber % HIGH
    this.addressLength = address.length
    for (let i = 0; i < address.length; i += 4) {
      this.words[i >>> 2] =
        (address[i]! << 24) | (address[i + 1]! << 16) | (address[i + 2]! << 8) | address[i + 3]!
    }
    const length = hardwareAddress.length + clientId.length + hostname.length + relay.length + options.length
    const octets = this.octets.length >= length ? this.octets : new Uint8Array(2 * length)
    let at = 0
    for (const field of [hardwareAddress, clientId, hostname, relay, options]) {
      octets.set(field, at)
      at += field.length
    }
    this.setOctets(
      octets,
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
