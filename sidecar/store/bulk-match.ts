// What a Bulk query's selector and window find, told from the records as they are stored.
import { sameOctets } from '../binding.ts'
import { Word } from '../record-words.ts'
import type { BindingTable } from './binding-table.ts'
import { Field, type SelectorChains } from './selector-chains.ts'
import type { BulkSelector, ChangeWindow } from './store.ts'

/** Whether a record, a binding or a departure, is what a selector looks for. */
export function matcher(
  table: BindingTable,
  chains: SelectorChains,
  selector: BulkSelector,
): (ordinal: number) => boolean {
  switch (selector.by) {
    case 'all':
      return () => true
    case 'hardware-address': {
      const { hardwareType, hardwareAddress } = selector
      if (table.family !== 4 || hardwareAddress.length === 0) return () => false
      return (ordinal) =>
        (table.flags(ordinal) & 0xffff) === hardwareType &&
        table.octets.has(ordinal, Field.hardwareAddress, hardwareAddress)
    }
    case 'client-id': {
      const { clientId } = selector
      return clientId.length === 0
        ? () => false
        : (ordinal) => table.octets.has(ordinal, Field.clientId, clientId)
    }
    case 'relay-id': {
      const { relayId } = selector
      return relayId.length === 0 ? () => false : (ordinal) => chains.hasRelayId(ordinal, relayId)
    }
    case 'remote-id': {
      const { remoteId } = selector
      return remoteId.length === 0 ? () => false : (ordinal) => chains.hasRemoteId(ordinal, remoteId)
    }
    case 'subnets': {
      const subnets = new Set(table.family === 6 ? selector.subnetIds : [])
      return (ordinal) => subnets.has(table.rows.get(ordinal, Word.subnetId))
    }
    case 'address': {
      const { address } = selector
      return (ordinal) => covers(table, ordinal, address)
    }
  }
}

function covers(table: BindingTable, ordinal: number, address: Uint8Array): boolean {
  const length = table.prefixLength(ordinal)
  const start = table.address(ordinal)
  if (length === 0) return sameOctets(start, address)
  const whole = length >>> 3
  for (let i = 0; i < whole; i++) if (start[i] !== address[i]) return false
  const rest = length & 7
  return rest === 0 || (start[whole]! ^ address[whole]!) >>> (8 - rest) === 0
}

/** RFC 6926 section 8.2: client-last-transaction-time or start-time-of-state in the window; or the change as we saw it. */
export function changedWithin(table: BindingTable, ordinal: number, window: ChangeWindow): boolean {
  const { start = 0, end = Number.POSITIVE_INFINITY, keaAhead = 0 } = window
  const changed = table.changedAt(ordinal)
  if (changed >= start && changed <= end) return true
  const transaction = table.rows.get(ordinal, Word.clientLastTransaction) - keaAhead
  if (transaction >= start && transaction <= end) return true
  const since = table.rows.get(ordinal, Word.stateSince) - keaAhead
  return since >= start && since <= end
}
