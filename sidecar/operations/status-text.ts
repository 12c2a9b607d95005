// One line for `systemctl status`: what an operator wants to know at a glance.
import type { ProcessStatus } from './status.ts'

export function statusText({ verdict, families }: ProcessStatus): string {
  const counted = families
    .filter(({ expected }) => expected)
    .map(
      ({ family, bindings, service }) =>
        ` DHCPv${family}: ${bindings.active} active bindings, ${service.connections} connections.`,
    )
  return verdict.sentence + counted.join('')
}
