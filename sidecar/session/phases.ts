// The life of a connection.
//
//   expecting --active query--> opening --opened--> catching-up --passed--> live
//     |   \                         \_______________(no start time, DataMissing)___/
//     |    Bulk queries: bulk --last one done--> expecting
//     |    TLS start, required: securing --secured--> expecting
//     |    TLS start, required but impossible: refused
//     any of them --> closed, where every input is ignored
//
// Each phase lists the inputs that mean something in it. What is not listed is a mistake of the shell, unless it is
// `harmless`.
import type { InputType } from './session-io.ts'

export const phases = [
  'expecting',
  'securing',
  'refused',
  'bulk',
  'opening',
  'catching-up',
  'live',
  'closed',
] as const
export type Phase = (typeof phases)[number]

export const inputTypes = [
  'bytes',
  'secured',
  'opened',
  'written',
  'scan-opened',
  'scan-refused',
  'slice',
  'index-grew',
  'writable',
  'progress',
  'deadline',
  'ended',
  'terminate',
] as const satisfies readonly InputType[]

const always = ['bytes', 'writable', 'progress', 'deadline', 'ended', 'terminate'] as const

export const accepted: Readonly<Record<Phase, ReadonlySet<InputType>>> = {
  /** Waits for a whole query, the first or a further one, or for TLS to be asked for. */
  expecting: new Set(always),
  /** Has let the requestor begin TLS. */
  securing: new Set([...always, 'secured']),
  /** Has refused TLS where nothing else will do; waits for the requestor to close. */
  refused: new Set(always),
  /** One or more Bulk queries are in progress. */
  bulk: new Set([...always, 'scan-opened', 'scan-refused', 'slice', 'index-grew']),
  /** An active query has come; where in the index it begins is being looked up. */
  opening: new Set([...always, 'opened', 'index-grew']),
  /** Between the start time and what was newest when the query came. */
  'catching-up': new Set([...always, 'written', 'index-grew']),
  /** Follows the index. */
  live: new Set([...always, 'written', 'index-grew']),
  closed: new Set(),
}

/** Inputs that may come in any phase: a shell need not know who is interested. */
export const harmless: ReadonlySet<InputType> = new Set(['index-grew'])
