// leasequery watch
import { SidecarError } from '../errors.ts'
import { ActiveRequestor } from './active-requestor.ts'
import type { WatchCommand } from './arguments.ts'
import { RECEIVE_TIMEOUT_SECONDS } from './connection.ts'
import { formatJson, formatLine, Historian } from './print.ts'
import { exitCodeOf, onInterrupt, print, readTlsFiles, warnOfTimeouts } from './tool.ts'

export function watch(command: WatchCommand): Promise<number> {
  const { receiveTimeout } = command
  warnOfTimeouts([{ flag: '--receive-timeout', value: receiveTimeout, least: RECEIVE_TIMEOUT_SECONDS }])
  return exitCodeOf(async () => {
    const historian = new Historian()
    const requestor = await ActiveRequestor.connect({ ...command, tls: readTlsFiles(command.tlsFiles) })
    onInterrupt(() => requestor.close())
    for await (const event of requestor) {
      const line = command.json ? formatJson(event, historian) : formatLine(event, historian)
      if (line !== undefined) await print(`${line}\n`)
      if (event.type === 'terminated') {
        const fields = { status: event.status, text: event.text === '' ? '' : ` (${event.text})` }
        throw new SidecarError(event.refused ? 'ALQ_SERVER_REFUSED' : 'ALQ_SERVER_TERMINATED', fields)
      }
    }
    return 0
  })
}
