// Show a password, and tick the rules while one is chosen. Everything works without this file.
for (const button of document.querySelectorAll('.reveal button')) {
  button.hidden = false
  button.addEventListener('click', () => {
    const input = button.parentNode.querySelector('input')
    const show = input.type === 'password'
    input.type = show ? 'text' : 'password'
    button.firstElementChild.textContent = show ? 'Hide' : 'Show'
  })
}
const rules = document.querySelector('.rules')
if (rules) {
  const length = rules.querySelector('[data-length]')
  document.getElementById('password').addEventListener('input', (event) => {
    length?.classList.toggle('met', [...event.target.value].length >= Number(length.dataset.length))
  })
}
// A second press would send the form again: an invitation that the first one used up would then seem refused.
for (const form of document.forms) {
  let sent = false
  form.addEventListener('submit', (event) => {
    if (sent) event.preventDefault()
    sent = true
    // A browser may remember what was typed into a field of plain text.
    for (const input of form.querySelectorAll('.reveal input')) input.type = 'password'
  })
  window.addEventListener('pageshow', () => {
    sent = false
  })
}
const invalid = document.querySelector('[aria-invalid=true]')
if (invalid) invalid.focus()
