/** A Debian root in which systemd runs, as on a host of its own: for what only a service manager shows. */

import { readFileSync } from 'node:fs'
import { type Laboratory, mountRoot } from './laboratory.ts'
import { packageRoot } from './package-root.ts'
import type { Process } from './processes.ts'
import { run } from './processes.ts'
import type { KeaRoot } from './roots.ts'
import { GiveUp, waitFor } from './wait.ts'

/** Where the booted root has this project, read-only. */
export const productFolder = '/usr/lib/kea-leasequery'

/**
 * What systemd expects to find. The root is pivoted to: in a mere chroot it could not give services file systems of their
 * own. $1 is this project.
 */
const boot = `${mountRoot}
cd "$at/root"
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=755 tmpfs dev
mkdir dev/shm dev/pts
ln -s pts/ptmx dev/ptmx
for name in null zero full random urandom tty; do
  cp --archive /dev/$name dev/
done
mkdir ".$2" .old
mount --bind -o ro "$1" ".$2"
# The laboratory's folder is below /tmp.
ln -sf /dev/null etc/systemd/system/tmp.mount
pivot_root . .old
umount --lazy /.old
exec env -i container=laboratory PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --show-status=no --unit=multi-user.target
`

export class BootedRoot {
  readonly #process: Process

  private constructor(process: Process) {
    this.#process = process
  }

  /** Boots in the laboratory's server namespace; returns when systemd has started what it starts. */
  static async boot(lab: Laboratory, root: KeaRoot): Promise<BootedRoot> {
    const own = ['unshare', '--pid', '--uts', '--ipc', '--cgroup', '--fork', '--kill-child']
    const command = [...own, ...lab.inRoot('server', root, [packageRoot, productFolder], boot)]
    const booted = new BootedRoot(lab.start('systemd', command))
    await waitFor(
      'systemd to have booted',
      async () => {
        if (booted.#process.exit) throw new GiveUp(`systemd ended:\n${booted.#process.outputTail()}`)
        // A unit of the root that fails (there are no kernel modules to load) makes it degraded.
        return /^(running|degraded)/.test(await booted.run(['systemctl', 'is-system-running'], [0, 1]))
      },
      120_000,
    )
    return booted
  }

  /** Process 1 of the root, by its id outside. */
  get #init(): number {
    const { pid } = this.#process
    return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0])
  }

  /** The command line that runs a command beside systemd. */
  inside(command: readonly string[]): string[] {
    const enter = ['nsenter', '--target', String(this.#init), '--all', '--root', '--wd=/']
    return [...enter, 'env', '-i', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'LC_ALL=C.UTF-8', ...command]
  }

  /** Runs it to its end. See run() in processes.ts. */
  run(command: readonly string[], codes?: readonly number[]): Promise<string> {
    return run(this.inside(command), codes)
  }

  /** A property of a unit, as `systemctl show` tells it. */
  async property(unit: string, name: string): Promise<string> {
    return (await this.run(['systemctl', 'show', '--property', name, '--value', unit])).trim()
  }

  /** What a unit and systemd about it have written to the journal. */
  journal(unit: string): Promise<string> {
    return this.run(['journalctl', '--quiet', '--no-pager', '--output=cat', `--unit=${unit}`])
  }
}
