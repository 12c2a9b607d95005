// Options of a client's that a reply never repeats, asked for or not.
import { Code6 } from '../wire/v6/options.ts'

/** Options whose value a reply states itself, so that a captured one of the client never stands in for it. */
export const neverCaptured4: ReadonlySet<number> = new Set([
  50, // requested-ip-address
  51,
  52,
  53,
  54,
  55,
  57,
  58,
  59,
  61,
  82,
  90,
  91,
  92,
  151,
  152,
  153,
  154,
  155,
  156,
  157,
  221,
])

/** As {@link neverCaptured4}. */
export const neverCaptured6: ReadonlySet<number> = new Set([
  Code6.clientId,
  Code6.serverId,
  3, // IA_NA
  4, // IA_TA
  Code6.iaAddress,
  Code6.requestedOptions,
  Code6.relayMessage,
  Code6.authentication,
  Code6.status,
  25, // IA_PD
  Code6.iaPrefix,
  Code6.leaseQuery,
  Code6.clientData,
  Code6.clientLastTransactionTime,
  Code6.relayData,
  Code6.clientLink,
  Code6.virtualSubnet,
  Code6.baseTime,
  Code6.startTime,
  Code6.endTime,
])
