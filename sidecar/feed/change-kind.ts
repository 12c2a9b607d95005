// What became of a binding, in one word: for counting.
import { type BindingData, BindingState } from '../binding.ts'
import { isOfClient } from './compare.ts'

/** In the order in which a binding lives. */
export const changeKinds = [
  'granted',
  'renewed',
  'released',
  'expired',
  'declined',
  'deleted',
  'freed',
  'other',
] as const
export type ChangeKind = (typeof changeKinds)[number]

/** Of a binding that has come into this state. */
export const kindOfState: Readonly<Record<BindingState, ChangeKind>> = {
  [BindingState.active]: 'granted',
  [BindingState.released]: 'released',
  [BindingState.expired]: 'expired',
  [BindingState.abandoned]: 'declined',
  // By an operator, or past Kea: nobody said that it ended.
  [BindingState.reset]: 'deleted',
  // A declined address that may be given out again.
  [BindingState.available]: 'freed',
  [BindingState.remote]: 'other',
  [BindingState.transitioning]: 'other',
}

/** @param previous what was stored until now */
export function changeKind(next: BindingData, previous: BindingData | undefined): ChangeKind {
  const goesOn =
    next.state === BindingState.active &&
    previous?.state === BindingState.active &&
    isOfClient(previous, next)
  return goesOn ? 'renewed' : kindOfState[next.state]
}
