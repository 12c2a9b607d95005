// Over ipc:// whoever may write to the folder of the sockets may put sockets of his own there, and be taken for Kea. ZeroMQ
// asks nobody who he is: the folder's owner and mode are all there is, so they are looked at.
import { existsSync, lstatSync } from 'node:fs'
import { dirname } from 'node:path'
import { codeOf, reasonOf } from '../errors.ts'

/** Kea's library makes its sockets and takes them away again: true where there are none. Over tcp:// nobody can tell. */
export function socketsGone(endpoint: string): boolean {
  const path = socketPath(endpoint)
  return path !== undefined && !existsSync(path)
}

function socketPath(endpoint: string): string | undefined {
  return /^ipc:\/\/(\/.+)$/.exec(endpoint)?.[1]
}

/** What is wrong with the folder of an endpoint's sockets; undefined = nothing, or it is not there yet. */
export function folderFault(endpoint: string): string | undefined {
  const path = socketPath(endpoint)
  if (path === undefined) return undefined
  const folder = dirname(path)
  try {
    const about = lstatSync(folder)
    if (!about.isDirectory()) return `${folder} is no folder: anybody may have put it there`
    if ((about.mode & 0o002) !== 0)
      return `everybody may write to ${folder}: anybody on this host could feed this sidecar (2750 is usual)`
    return socketFault(path, folder, about.uid)
  } catch (error) {
    // Kea makes the sockets, tmpfiles.d the folder; neither need be there yet.
    return codeOf(error) === 'ENOENT' ? undefined : `${folder} cannot be looked at: ${reasonOf(error)}`
  }
}

/** The sockets must belong to whom the folder belongs, or to root. */
function socketFault(path: string, folder: string, owner: number): string | undefined {
  for (const socket of [path, `${path}-sync`]) {
    const { uid } = lstatSync(socket)
    if (uid !== owner && uid !== 0)
      return `${socket} belongs to user ${uid} and ${folder} to user ${owner}: it may not be Kea's`
  }
  return undefined
}
