// The events of a batch, one after the other, into the store.
import type { BindingData, LogicalSeconds, UnixSeconds } from '../binding.ts'
import { applyAnnotation, applyChange } from './apply.ts'
import type { DecodeError } from './decode-error.ts'
import type { Annotation, EventBatch, LeaseChange } from './events.ts'
import type { Progress } from './progress.ts'

/**
 * Applies what is newer than the store; all of it bears one second of L, and the position moves along.
 * @param isTold an event that has to be told again even where it changes nothing
 * @param touch a lease was written by the event of this number
 * @returns why an event could not be read: it has a number, so it counts as lost
 */
export function applyBatch(
  progress: Progress,
  batch: EventBatch,
  isTold: (seq: number) => boolean,
  touch: (address: Uint8Array, seq: number) => void,
): DecodeError | undefined {
  const at = progress.clock()
  const keaNow = Math.floor(batch.clock / 1000)
  const done = progress.seq
  let seq = batch.firstSeq - 1
  let lost: DecodeError | undefined
  progress.store.expect(addressesOf(batch))
  for (const event of batch.events) {
    seq += 1
    if (seq <= done || event.kind === 'unknown') continue
    if (event.kind === 'unreadable') {
      lost = event.error
      progress.counters.unreadable += 1
      continue
    }
    applyEvent(progress, event, keaNow, at, isTold(seq))
    // An annotation says nothing of whether the lease is there.
    if (event.kind === 'change') touch(event.lease.address, seq)
  }
  progress.counters.events += seq - done
  progress.moveTo(seq)
  return lost
}

function addressesOf(batch: EventBatch): Uint8Array[] {
  const addresses: Uint8Array[] = []
  for (const event of batch.events) {
    if (event.kind === 'change') addresses.push(event.lease.address)
    else if (event.kind === 'annotation') addresses.push(event.address)
  }
  return addresses
}

function applyEvent(
  progress: Progress,
  event: LeaseChange | Annotation,
  keaNow: UnixSeconds,
  at: LogicalSeconds,
  restamp: boolean,
): void {
  const { store } = progress
  let previous: BindingData | undefined
  let next: BindingData | undefined
  if (event.kind === 'change') {
    const { address } = event.lease
    previous = store.peek(address)
    next = applyChange(event, previous, keaNow, restamp)
    if (next !== undefined && next === previous) next = store.get(address) // A change needs a value of its own.
  } else {
    previous = store.get(event.address)
    next = applyAnnotation(event, previous, restamp)
  }
  if (next !== undefined) progress.put(next, previous, at)
}
