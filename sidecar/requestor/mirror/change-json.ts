// A change as receivers get it.
import type { BindingJson } from '../binding-json.ts'
import type { Pending } from './replica.ts'

/** The binding's own fields, all times on the requestor's clock; of a removed one as the receiver had it. */
export interface ChangeJson extends BindingJson {
  readonly change: 'added' | 'changed' | 'removed'
  /** Grows: of two changes of one binding, that with the larger number is the newer one, or a repetition. */
  readonly number: number
  /** Address, or address/length of a delegated prefix. */
  readonly key: string
  /** changed: the binding as the receiver had it. */
  readonly before: BindingJson | null
}

/** @param pending with a change */
export function changeJson({ key, queued, change }: Pending): ChangeJson {
  const { binding, before } = change!
  return { change: change!.change, number: queued, key, ...binding, before: before ?? null }
}
