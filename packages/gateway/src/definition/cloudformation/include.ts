/**
 * `AWS::Include`: a file whose content stands in the template. CloudFormation takes it in before anything else happens
 * to the template, before SAM too. AWS wants it in a bucket; `sam deploy` and `aws cloudformation package` take a path
 * beside the template and upload the file.
 */
import { isMembers, type Members } from '../document.ts'
import { type FileDeps, rootOfFile } from '../files.ts'
import { type Place, pointerStep, type Source } from '../report.ts'

const transform = 'Fn::Transform'

/** A template with every file in it that it includes. Places of what was taken in lead to the file. */
export function takeIn(
  root: Members,
  source: Source,
  place: Place,
  deps: FileDeps,
): { readonly root: Members; readonly source: Source } {
  const origins = new Map<string, { readonly source: Source; readonly at: string }>()

  const contentOf = (value: unknown, at: Place, into: string): Members => {
    const { Parameters: parameters } = isMembers(value) ? value : {}
    const location = isMembers(parameters) ? parameters.Location : undefined
    const file = rootOfFile(location, at.in('Parameters').in('Location'), deps)
    // What it holds stands beside what the template has there: each member remembers where it is from.
    for (const name of Object.keys(file?.content ?? {}).map(pointerStep)) {
      origins.set(`${into}/${name}`, { source: file!.source, at: `#/${name}` })
    }
    return file?.content ?? {}
  }

  const walk = (value: unknown, at: Place): unknown => {
    if (Array.isArray(value)) return value.map((item, index) => walk(item, at.in(index)))
    if (!isMembers(value)) return value
    const { [transform]: macro, ...others } = value
    const own = Object.fromEntries(Object.entries(others).map(([name, item]) => [name, walk(item, at.in(name))]))
    if (isMembers(macro) && macro.Name === 'AWS::Include') {
      return { ...own, ...contentOf(macro, at.in(transform), at.at) }
    }
    return macro === undefined ? own : { ...own, [transform]: macro }
  }

  const taken = walk(root, place) as Members
  const locate: Source['locate'] = (at) => {
    const known = [...origins.keys()].filter((pointer) => at === pointer || at.startsWith(`${pointer}/`))
    const [nearest] = known.sort((a, b) => b.length - a.length)
    if (nearest === undefined) return source.locate(at)
    const origin = origins.get(nearest)!
    return origin.source.locate(origin.at + at.slice(nearest.length))
  }
  return { root: taken, source: { file: source.file, locate } }
}
