/** Waiting for things that happen in other processes. Time-outs here only bound failures; they decide nothing. */

import { setTimeout as sleep } from 'node:timers/promises'

/** How long waitFor() waits unless told otherwise, in milliseconds. */
export const patience = 30_000

/**
 * Asks `condition` until it gives something truthy, and returns that.
 * @param what what is waited for, in the words of the failure: "waited 30 s for " + what
 * @param condition may throw: its error is then part of the failure, if time runs out
 * @throws Error when `timeout` milliseconds have passed
 */
export async function waitFor<T>(
  what: string,
  condition: () => T | Promise<T>,
  timeout = patience,
): Promise<NonNullable<T>> {
  const deadline = performance.now() + timeout
  let pause = 5
  for (;;) {
    const asked = performance.now()
    let cause: unknown
    try {
      const result = await condition()
      if (result) return result
    } catch (error) {
      if (error instanceof GiveUp) throw error
      cause = error
    }
    if (performance.now() > deadline) {
      const because = cause instanceof Error ? `: ${cause.message}` : ''
      throw new Error(`waited ${timeout / 1000} s for ${what}${because}`, { cause })
    }
    // A condition that costs much is asked rarely: what it waits for needs the processor too.
    await sleep(Math.max(pause, 4 * (performance.now() - asked)))
    pause = Math.min(pause * 2, 100)
  }
}

/** Thrown inside a condition: what is waited for cannot happen any more. */
export class GiveUp extends Error {}
