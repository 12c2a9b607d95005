#!/usr/bin/env node
// bin leasequery: the command line to the command that runs it.
import { version } from '../version.ts'
import { type Command, isUsageError, parseArguments } from './arguments.ts'
import { runCheck } from './command-check.ts'
import { fetchBindings } from './command-fetch.ts'
import { mirror, show } from './command-mirror.ts'
import { watch } from './command-watch.ts'
import { help } from './help.ts'
import { complain, print } from './tool.ts'

async function main(): Promise<number> {
  try {
    return await run(parseArguments(process.argv.slice(2), Date.now() / 1000))
  } catch (error) {
    if (!isUsageError(error)) throw error
    complain(error.message)
    return 2
  }
}

async function run(command: Command): Promise<number> {
  switch (command.run) {
    case 'help':
      await print(help(command.about))
      return 0
    case 'version':
      await print(`${version()}\n`)
      return 0
    case 'watch':
      return watch(command)
    case 'fetch':
      return fetchBindings(command)
    case 'mirror':
      return mirror(command)
    case 'check':
      return runCheck(command)
    case 'show':
      return show(command.state, command.json)
  }
}

// The write's own callback deals with it; without a listener Node would end with a stack trace.
process.stdout.on('error', () => {})
process.stderr.on('error', () => {})
process.exitCode = await main()
// A pipe may still hold output: let the loop run empty instead of exit().
