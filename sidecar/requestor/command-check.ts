// leasequery check
import type { CheckCommand } from './arguments.ts'
import { type CheckReport, check } from './check.ts'
import { faults } from './faults.ts'
import { exitCodeOf, print, readTlsFiles } from './tool.ts'

export function runCheck(command: CheckCommand): Promise<number> {
  return exitCodeOf(async () => {
    const { duid, tlsFiles } = command
    const report = await check({ ...command, tls: readTlsFiles(tlsFiles) }, duid)
    await print(command.json ? `${json(report)}\n` : text(report))
    return report.fault === undefined ? 0 : faults[report.fault].exit
  })
}

function json({ clockAhead, history, ...report }: CheckReport): string {
  return JSON.stringify({
    ...report,
    fault: report.fault ?? null,
    history: history === undefined ? null : { served: history.served, 'too-far': history.tooFar ?? null },
    'clock-ahead': clockAhead ?? null,
  })
}

function text(report: CheckReport): string {
  const { active, bulk, history, clockAhead, tls, sentence } = report
  const lines = [sentence]
  const yes = (known: boolean) => (known ? 'yes' : 'no')
  if (report.fault === undefined || active || bulk) {
    lines.push(`  Active Leasequery   ${yes(active)}`)
    lines.push(`  Bulk Leasequery     ${yes(bulk)}`)
    lines.push(`  TLS                 ${tls ? 'yes' : 'not asked for'}`)
  }
  if (history !== undefined) {
    const far = history.tooFar === undefined ? 'more was not tried' : `${span(history.tooFar)} is too far`
    lines.push(`  start times         ${span(history.served)} back is served, ${far}`)
  }
  if (clockAhead !== undefined && Math.abs(clockAhead) > 2) {
    lines.push(
      `  clock               ${Math.abs(clockAhead)} s ${clockAhead > 0 ? 'ahead of' : 'behind'} ours`,
    )
  }
  return `${lines.join('\n')}\n`
}

function span(seconds: number): string {
  const units = [
    [86_400, 'day'],
    [3600, 'hour'],
    [60, 'minute'],
  ] as const
  for (const [size, name] of units) {
    if (seconds >= size) return `${seconds / size} ${name}${seconds === size ? '' : 's'}`
  }
  return `${seconds} s`
}
