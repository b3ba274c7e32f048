// Show a password, and tick the rules while one is chosen. Everything works without this file.
document.documentElement.classList.add('js')
for (const button of document.querySelectorAll('.reveal button')) {
  button.hidden = false
  button.addEventListener('click', () => {
    const input = button.parentNode.querySelector('input')
    const show = input.type === 'password'
    input.type = show ? 'text' : 'password'
    button.textContent = show ? button.dataset.hide : button.dataset.show
    button.setAttribute('aria-pressed', show)
  })
}
const rules = document.querySelector('.rules')
if (rules) {
  const length = rules.querySelector('[data-length]')
  document.getElementById('password').addEventListener('input', (event) => {
    length.classList.toggle('met', [...event.target.value].length >= Number(length.dataset.length))
  })
}
const invalid = document.querySelector('[aria-invalid=true]')
if (invalid) invalid.focus()
