/** Prometheus and promtool of Debian's packages, run from a root that the set-up has put them into. */
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Laboratory } from './laboratory.ts'
import type { Process } from './processes.ts'
import { type KeaRoot, mainKea } from './roots.ts'
import { GiveUp, waitFor } from './wait.ts'

/** For node:test: false, or why tests with Prometheus are skipped (only under --allow-missing). */
export function prometheusSkip(): false | string {
  const root = mainKea()
  if (root.skip) return root.skip
  if (existsSync(join(root.root, '.prometheus'))) return false
  const reason = `there is no Prometheus in ${root.root}`
  if (process.env['KEA_TEST_ALLOW_MISSING']) return reason
  throw new Error(`${reason}. As root, \`npm run test:all\` puts it there.`)
}

export interface Series {
  readonly metric: Readonly<Record<string, string>>
  /** Time and value. */
  readonly value: readonly [number, string]
}

export interface Rule {
  readonly name: string
  readonly health: string
  readonly lastError?: string
  readonly state: string
}

export class Prometheus {
  readonly #process: Process
  readonly #url: string

  private constructor(process: Process, url: string) {
    this.#process = process
    this.#url = url
  }

  /** The root that it is run from. */
  static get root(): KeaRoot {
    return mainKea()
  }

  /**
   * Scrapes `target` (host:port, on loopback) each second, and evaluates the rules in the file `rules` of the laboratory's
   * folder.
   */
  static async start(lab: Laboratory, target: string, rules: string): Promise<Prometheus> {
    const config = {
      global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
      rule_files: [rules],
      scrape_configs: [{ job_name: 'kea-leasequery', static_configs: [{ targets: [target] }] }],
    }
    // JSON is YAML.
    writeFileSync(lab.path('prometheus.yml'), JSON.stringify(config))
    const command = [
      'prometheus',
      `--config.file=${lab.path('prometheus.yml')}`,
      `--storage.tsdb.path=${lab.path('prometheus')}`,
      '--web.listen-address=127.0.0.1:0',
    ]
    const child = lab.start('prometheus', lab.onHost(Prometheus.root, command))
    const url = await waitFor(
      'Prometheus to be ready',
      async () => {
        if (child.exit) throw new GiveUp(`Prometheus ended:\n${child.outputTail()}`)
        const address = /msg="Listening on" address=(\S+)/.exec(child.output())?.[1]
        if (address === undefined) return undefined
        return (await fetch(`http://${address}/-/ready`)).ok ? `http://${address}` : undefined
      },
      120_000,
    )
    return new Prometheus(child, url)
  }

  /** @throws Error with what Prometheus says of the expression */
  async query(expression: string): Promise<readonly Series[]> {
    const url = `${this.#url}/api/v1/query?query=${encodeURIComponent(expression)}`
    const { result } = await this.#ask<{ result: readonly Series[] }>(url, expression)
    return result
  }

  /** All alerts there are, as they were evaluated last. */
  async rules(): Promise<readonly Rule[]> {
    const answer = await this.#ask<{ groups: readonly { rules: readonly Rule[] }[] }>(
      `${this.#url}/api/v1/rules`,
      'the rules',
    )
    return answer.groups.flatMap(({ rules }) => rules)
  }

  async #ask<T>(url: string, what: string): Promise<T> {
    const answer = (await (await fetch(url)).json()) as { status: string; error?: string; data: T }
    if (answer.status !== 'success') throw new Error(`Prometheus on ${what}: ${answer.error}`)
    return answer.data
  }

  /** The end of what it wrote, for failures. */
  output(): string {
    return this.#process.outputTail()
  }
}
