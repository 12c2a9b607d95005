// `kea-leasequery status`: asks the one that runs, and prints what it says.
import { request } from 'node:http'
import { reasonOf } from '../errors.ts'
import { formatPlace, type OperationsPlace } from './place.ts'
import type { ProcessStatus } from './status.ts'
import { formatStatus } from './terminal.ts'

/** Milliseconds to answer in; and octets of an answer, far more than the largest status. */
const PATIENCE_MS = 10_000
const MAX_OCTETS = 16 * 1024 * 1024

/** @returns the exit code: see statusExitCodes */
export async function printStatus(place: OperationsPlace, json: boolean): Promise<number> {
  let text: string
  let status: ProcessStatus
  try {
    text = await ask(place)
    status = JSON.parse(text) as ProcessStatus
    if (status.verdict === undefined) throw new Error('what answers there is no kea-leasequery')
  } catch (error) {
    const reason = error instanceof SyntaxError ? 'what answers there is no kea-leasequery' : reasonOf(error)
    const advice = 'See whether the service runs, and with which --metrics.'
    process.stderr.write(`kea-leasequery: no status from ${formatPlace(place)}: ${reason}. ${advice}\n`)
    return 3
  }
  const { isTTY = false, columns } = process.stdout
  // NO_COLOR: see no-color.org.
  const colours = isTTY && (process.env['NO_COLOR'] ?? '') === ''
  process.stdout.write(
    json ? text : await formatStatus(status, { colours, columns: isTTY ? columns : undefined }),
  )
  return status.verdict.ready ? 0 : 1
}

function ask(place: OperationsPlace): Promise<string> {
  const where = place.kind === 'unix' ? { socketPath: place.path } : { host: place.address, port: place.port }
  return new Promise((resolve, reject) => {
    const question = request({ ...where, path: '/status.json', agent: false }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (part: string) => {
        text += part
        if (text.length > MAX_OCTETS) question.destroy(new Error('the answer has no end'))
      })
      response.on('error', reject)
      response.on('end', () => {
        if (response.statusCode === 200) resolve(text)
        else reject(new Error(`it answered ${response.statusCode}: ${text.trim().slice(0, 200)}`))
      })
    })
    question.setTimeout(PATIENCE_MS, () => {
      question.destroy(new Error(`it has not answered in ${PATIENCE_MS / 1000} s`))
    })
    question.on('error', reject)
    question.end()
  })
}
