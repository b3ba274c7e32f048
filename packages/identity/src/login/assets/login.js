// Show a password, and tick the rules while one is chosen. Everything works without this file.
for (const button of document.querySelectorAll('.reveal button')) {
  button.hidden = false
  const label = button.firstElementChild
  const [show, hide] = [label.textContent, button.dataset.hide ?? 'Hide']
  button.addEventListener('click', () => {
    const input = button.parentNode.querySelector('input')
    const hidden = input.type === 'password'
    input.type = hidden ? 'text' : 'password'
    label.textContent = hidden ? hide : show
  })
}
const rules = document.querySelector('.rules')
if (rules) {
  const kinds = {
    lowercase: /\p{Ll}/u,
    uppercase: /\p{Lu}/u,
    number: /\p{Nd}/u,
    special: /[^\p{Ll}\p{Lu}\p{Nd}]/u,
  }
  const sequence = (typed) => {
    const points = [...typed.toLowerCase()].map((character) => character.codePointAt(0))
    return points.some((point, at) => {
      const step = point - points[at - 1]
      return (
        Math.abs(step) === 1 &&
        points[at - 1] - points[at - 2] === step &&
        /[\p{L}\p{Nd}]/u.test(String.fromCodePoint(point))
      )
    })
  }
  const isMet = ({ length, kinds: of, least, runs }, typed) => {
    if (length) return [...typed].length >= Number(length)
    if (of) return of.split(' ').filter((kind) => kinds[kind].test(typed)).length >= Number(least)
    if (runs) return typed !== '' && !(runs === 'identical' ? /(.)\1\1/su.test(typed) : sequence(typed))
    // What only the server knows is not ticked off.
    return false
  }
  document.getElementById('password').addEventListener('input', (event) => {
    for (const rule of rules.children) rule.classList.toggle('met', isMet(rule.dataset, event.target.value))
  })
}
// A second press would send the form again: an invitation that the first one used up would then seem refused.
for (const form of document.forms) {
  let sent = false
  form.addEventListener('submit', (event) => {
    if (sent) event.preventDefault()
    sent = true
    // Whoever stopped the page meanwhile, which no event tells, presses again.
    setTimeout(() => {
      sent = false
    }, 10_000)
    // A browser may remember what was typed into a field of plain text.
    for (const input of form.querySelectorAll('.reveal input')) input.type = 'password'
  })
  window.addEventListener('pageshow', () => {
    sent = false
  })
}
const invalid = document.querySelector('[aria-invalid=true]')
if (invalid) invalid.focus()
document.querySelector('form[data-send-at-once]')?.submit()
const onward = document.querySelector('a[data-follow-at-once]')
if (onward) location.replace(onward.href)
