// What bash completes behind kea-leasequery and leasequery, from the tables that --help is printed from.
import { daemonFlags, statusFlags } from '../daemon-flags.ts'
import type { Flag } from '../flags.ts'
import { commandFlags, commandNames } from '../requestor/arguments.ts'

const words = (table: readonly Flag[]) => table.map(({ name }) => name).join(' ')
/** Flags whose value is a path: their names say so in both tables. */
const paths = (tables: readonly (readonly Flag[])[]) =>
  [
    ...new Set(
      tables.flat().flatMap(({ name, value }) => (/^(FILE|DIR|PATH)$/.test(value ?? '') ? [name] : [])),
    ),
  ].join('|')

export const daemonCompletion = `# bash completion of kea-leasequery
_kea_leasequery() {
  local words='status ${words(daemonFlags)}'
  if [ "\${COMP_WORDS[1]}" = status ] && ((COMP_CWORD > 1)); then words='${words(statusFlags)}'; fi
  case $3 in
    ${paths([daemonFlags])}) compopt -o default; COMPREPLY=() ;;
    *) mapfile -t COMPREPLY < <(compgen -W "$words" -- "$2") ;;
  esac
}
complete -F _kea_leasequery kea-leasequery
`

export const requestorCompletion = `# bash completion of leasequery
_leasequery() {
  local words='${commandNames.join(' ')} --help --version'
  if ((COMP_CWORD > 1)); then
    case \${COMP_WORDS[1]} in
${commandNames.map((name) => `      ${name}) words='${words(commandFlags[name])}' ;;`).join('\n')}
      *) words= ;;
    esac
  fi
  case $3 in
    ${paths(Object.values(commandFlags))}) compopt -o default; COMPREPLY=() ;;
    *) mapfile -t COMPREPLY < <(compgen -W "$words" -- "$2") ;;
  esac
}
complete -F _leasequery leasequery
`
