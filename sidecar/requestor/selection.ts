// What a query selects by, and how DHCPv6 writes it (RFC 5007 section 4.1.2.1, RFC 5460 section 5.3).
import { QueryType6 } from '../wire/v6/messages.ts'
import type { LeaseQuery6, QueryOptions6 } from '../wire/v6/options.ts'

/** What to ask for. Without a word of RFC 6926 or RFC 5460 for it in the family at hand, encoding throws. */
export type BulkSelection =
  /** DHCPv4: every configured address. DHCPv6: QUERY_BY_LINK_ADDRESS, of all links unless one is named. */
  | { readonly by: 'all' }
  /** DHCPv4 */
  | { readonly by: 'hardware-address'; readonly hardwareType: number; readonly hardwareAddress: Uint8Array }
  | { readonly by: 'client-id'; readonly clientId: Uint8Array }
  | { readonly by: 'relay-id'; readonly relayId: Uint8Array }
  /** DHCPv6: with its enterprise number in front. */
  | { readonly by: 'remote-id'; readonly remoteId: Uint8Array }
  /** DHCPv6: who holds this address, or a prefix that contains it. */
  | { readonly by: 'address'; readonly address: Uint8Array }

/**
 * OPTION_LQ_QUERY.
 * @param wants option codes for each client; they stand inside the query
 * @throws RangeError where DHCPv6 has no such query
 */
export function leaseQuery6(
  select: BulkSelection,
  linkAddress: Uint8Array | undefined,
  wants: readonly number[],
): LeaseQuery6 {
  const { queryType, options } = query6(select)
  return {
    queryType,
    linkAddress: linkAddress ?? new Uint8Array(16),
    options: { ...options, requestedOptions: wants.length > 0 ? wants : undefined },
  }
}

function query6(select: BulkSelection): { queryType: number; options: QueryOptions6 } {
  switch (select.by) {
    case 'all':
      return { queryType: QueryType6.byLinkAddress, options: {} }
    case 'client-id':
      return { queryType: QueryType6.byClientId, options: { clientId: select.clientId } }
    case 'relay-id':
      return { queryType: QueryType6.byRelayId, options: { relayId: select.relayId } }
    case 'remote-id': {
      const { remoteId } = select
      const enterprise = new DataView(remoteId.buffer, remoteId.byteOffset).getUint32(0)
      return {
        queryType: QueryType6.byRemoteId,
        options: { remoteId: { enterprise, remoteId: remoteId.subarray(4) } },
      }
    }
    case 'address': {
      const { address } = select
      const iaAddress = { address, preferredLifetime: 0, validLifetime: 0, options: [] }
      return { queryType: QueryType6.byAddress, options: { iaAddresses: [iaAddress] } }
    }
    case 'hardware-address':
      throw new RangeError('DHCPv6 Bulk Leasequery has no query by hardware address')
  }
}
