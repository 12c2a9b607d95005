// leasequery fetch
import { SidecarError } from '../errors.ts'
import type { FetchCommand } from './arguments.ts'
import { bindingJson, stateName } from './binding-json.ts'
import { BulkRequestor } from './bulk-requestor.ts'
import { DATA_TIMEOUT_SECONDS } from './connection.ts'
import { formatBinding, printable } from './print.ts'
import { exitCodeOf, onInterrupt, print, readTlsFiles, warnOfTimeouts } from './tool.ts'

/** Bindings printed at a time. */
const BATCH = 256

export function fetchBindings(command: FetchCommand): Promise<number> {
  const { dataTimeout, json } = command
  warnOfTimeouts([{ flag: '--data-timeout', value: dataTimeout, least: DATA_TIMEOUT_SECONDS }])
  return exitCodeOf(async () => {
    const requestor = await BulkRequestor.connect({ ...command, tls: readTlsFiles(command.tlsFiles) })
    let interrupted = false
    onInterrupt(() => {
      interrupted = true
      requestor.close()
    })
    const { select, linkAddress, start, end, vpn, wants } = command
    let count = 0
    try {
      const answer = requestor.query(select, { linkAddress, start, end, vpn, wants })
      for (;;) {
        const told = await answer.batch(BATCH)
        if (told.length === 0) break
        count += told.length
        const lines = told.map(({ binding, baseTime }) =>
          json
            ? JSON.stringify({ event: 'binding', 'base-time': baseTime, ...bindingJson(binding) })
            : formatBinding(binding, stateName(binding.state)),
        )
        await print(`${lines.join('\n')}\n`)
      }
      const { status, text, baseTime } = answer.outcome!
      if (json) {
        const last = { event: 'done', 'base-time': baseTime ?? null, status, text, count }
        await print(`${JSON.stringify(last)}\n`)
      }
      if (status === 'Success') return 0
      const said = text === '' ? '' : ` (${printable(text)})`
      throw new SidecarError(count === 0 ? 'ALQ_SERVER_REFUSED' : 'ALQ_SERVER_TERMINATED', {
        status,
        text: said,
      })
    } catch (error) {
      if (interrupted) return 0
      throw error
    } finally {
      requestor.close()
    }
  })
}
