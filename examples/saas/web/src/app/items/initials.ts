import { Component, computed, input } from '@angular/core'

const HUES = 4

/** Two letters on a tile: square for an organization, round for a person. Its colour follows from the name. */
@Component({
  selector: 'app-initials',
  host: { class: 'tile', '[class]': 'hue()', '[class.face]': 'round()', 'aria-hidden': 'true' },
  template: '{{ letters() }}',
})
export class Initials {
  readonly name = input.required<string>()
  readonly round = input(false)
  protected readonly letters = computed(() => {
    const [words = ''] = this.name().split('@')
    const [first = '', second = ''] = words.split(/[\s._-]+/).filter(Boolean)
    const letters = second ? first.charAt(0) + second.charAt(0) : first.slice(0, 2)
    return letters.toLocaleUpperCase()
  })
  protected readonly hue = computed(() => {
    let sum = 0
    for (const letter of this.name()) sum += letter.codePointAt(0) ?? 0
    return `hue-${sum % HUES}`
  })
}
