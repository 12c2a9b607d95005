/** Which processor does what, so that Kea and what loads it do not take each other's. */

import { execFileSync } from 'node:child_process'
import { availableParallelism } from 'node:os'

/** Kea, with all threads of its libraries, on one core; clients and sidecar share the next, or have one each. */
export const cores =
  availableParallelism() > 2 ? { kea: 0, clients: 1, sidecar: 2 } : { kea: 0, clients: 1, sidecar: 1 }

/** Puts all threads of a process on a core. What it starts from then on is there too. */
export function pin(pid: number, core: number): void {
  execFileSync('taskset', ['--all-tasks', '--cpu-list', '--pid', String(core), String(pid)])
}

/** This process, and so perfdhcp, on the clients' core; gives back what was before when disposed. */
export function pinOurselves(): Disposable {
  const before = /: (.*)$/m.exec(
    execFileSync('taskset', ['--cpu-list', '--pid', String(process.pid)], { encoding: 'utf8' }),
  )![1]!
  pin(process.pid, cores.clients)
  return {
    [Symbol.dispose]: () => {
      execFileSync('taskset', ['--all-tasks', '--cpu-list', '--pid', before, String(process.pid)])
    },
  }
}
