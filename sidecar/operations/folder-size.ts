// How much a folder of the store takes on disk. LevelDB's files come and go while it is asked.
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'

/** Octets of the files in a folder, subfolders left out; undefined where it cannot be read. */
export async function folderOctets(path: string): Promise<number | undefined> {
  try {
    const names = await readdir(path)
    const sizes = await Promise.all(names.map((name) => fileOctets(join(path, name))))
    return sizes.reduce((sum, size) => sum + size, 0)
  } catch {
    return undefined
  }
}

/** 0 for what has been deleted since it was listed. */
async function fileOctets(path: string): Promise<number> {
  try {
    const found = await stat(path)
    return found.isFile() ? found.size : 0
  } catch {
    return 0
  }
}
