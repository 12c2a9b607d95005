// Time-outs that the RFCs say should not be smaller than their defaults (RFC 7724 section 5.3, RFC 7653 section 6.4, RFC 6926
// section 6.3, RFC 5460 section 5.6). They are accepted, for those who know their network, and warned of.
import type { ServiceConfig } from './config.ts'

export interface ShortTimer {
  readonly parameter: string
  readonly seconds: number
  /** The RFCs' default. */
  readonly least: number
}

/** Time-outs below the defaults of the RFCs; of the keepalives of requesters the shortest. */
export function shortTimers(config: ServiceConfig): ShortTimer[] {
  const timers: ShortTimer[] = [
    { parameter: 'advanced.max-requester-idle-time', seconds: config.idleSeconds, least: 300 },
    { parameter: 'advanced.active-query-send-timeout', seconds: config.activeSendSeconds, least: 120 },
    { parameter: 'advanced.active-query-idle-timeout', seconds: config.activeIdleSeconds, least: 60 },
  ]
  const [shortest] = config.requesters
    .filter(({ keepaliveInterval }) => keepaliveInterval > 0)
    .sort((a, b) => a.keepaliveInterval - b.keepaliveInterval)
  if (shortest !== undefined)
    timers.push({
      parameter: `${shortest.place}.keepalive.interval`,
      seconds: shortest.keepaliveInterval,
      least: 60,
    })
  return timers.filter(({ seconds, least }) => seconds < least)
}
