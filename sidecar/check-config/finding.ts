import type { Place } from './kea-json.ts'

/** What there is to say about a configuration. */
export interface Finding {
  /** An error: something would not be served. A warning: it would, but may not be what is wanted. */
  readonly severity: 'error' | 'warning'
  readonly at: Place
  readonly text: string
}

export const error = (at: Place, text: string): Finding => ({ severity: 'error', at, text })
export const warning = (at: Place, text: string): Finding => ({ severity: 'warning', at, text })

/** As compilers write it, so that editors find the line. */
export function formatFinding({ severity, at, text }: Finding): string {
  return `${at.file}:${at.line}: ${severity}: ${text}`
}
