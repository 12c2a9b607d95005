/** What is shipped for those who watch: the dashboard and the alerts. */
import { readFileSync } from 'node:fs'
import { packagePath } from './package-root.ts'

export interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly description?: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly datasource?: { readonly uid: string }
  readonly targets?: readonly { readonly refId: string; readonly expr: string }[]
}

export interface Dashboard {
  readonly title: string
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] }
  readonly annotations: { readonly list: readonly { readonly expr: string }[] }
  readonly panels: readonly Panel[]
}

export const alertsFile = packagePath('sidecar', 'operations', 'alerts.yml')
export const alertTestsFile = packagePath('sidecar', 'operations', 'alerts.test.yml')

export function readDashboard(): Dashboard {
  const file = packagePath('sidecar', 'operations', 'grafana-dashboard.json')
  return JSON.parse(readFileSync(file, 'utf8')) as Dashboard
}

export interface Alert {
  readonly alert: string
  readonly expr: string
  readonly severity: string
  readonly summary: string
  readonly description: string
}

/** Each field is on a line of its own there. */
export function readAlerts(): readonly Alert[] {
  const [, ...parts] = readFileSync(alertsFile, 'utf8').split(/^ {6}- alert: /m)
  return parts.map((part) => {
    const field = (name: string) => new RegExp(`^ +${name}: (.+)$`, 'm').exec(part)?.[1] ?? ''
    return {
      alert: part.slice(0, part.indexOf('\n')),
      expr: field('expr'),
      severity: field('severity'),
      summary: field('summary'),
      description: field('description'),
    }
  })
}
