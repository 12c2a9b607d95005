// The library: what `import ... from 'kea-active-leasequery'` gives. Everything else may change.
export { BindingState } from '../binding.ts'
export { type ErrorCode, SidecarError } from '../errors.ts'
export { ActiveRequestor, type ActiveRequestorOptions, FoldedBindings } from './active-requestor.ts'
export { type BindingJson, bindingJson } from './binding-json.ts'
export {
  BulkClient,
  type BulkEvent,
  type BulkQueryOptions,
  encodeBulkQuery,
} from './bulk-client.ts'
export {
  type BulkAnswer,
  BulkRequestor,
  type BulkRequestorOptions,
  type BulkResult,
} from './bulk-requestor.ts'
export { type CheckReport, check } from './check.ts'
export { ActiveClient, type ActiveQueryOptions, encodeActiveQuery } from './client.ts'
export { keyOf, type ReportedBinding, type ReportedRelay, type RequestorEvent } from './events.ts'
export type { FaultName } from './faults.ts'
export type { ChangeJson } from './mirror/change-json.ts'
export type { Receiver } from './mirror/delivery.ts'
export { Mirror, type MirrorOptions } from './mirror/mirror.ts'
export { execReceiver, jsonlReceiver, webhookReceiver } from './mirror/receivers.ts'
export type { ServerPlace } from './open-socket.ts'
export type { BulkSelection } from './selection.ts'
export type { RequestorTls } from './start-tls.ts'
