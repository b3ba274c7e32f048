import { Component, inject, input, type OnInit } from '@angular/core'
import { Entrance } from './entrance.ts'
import { Waiting } from './waiting.ts'

/**
 * Where the issuer sends people to begin (`initiate_login_uri`). An invitation's ticket and its organization go on to
 * the issuer unchanged; without an organization the issuer asks for one.
 */
@Component({ selector: 'app-login', imports: [Waiting], template: '<app-waiting [text]="text()" />' })
export class LoginPage implements OnInit {
  readonly invitation = input<string>()
  readonly organization = input<string>()
  readonly organization_name = input<string>()
  readonly #entrance = inject(Entrance)

  protected text(): string {
    const name = this.organization_name()
    return name ? `Taking you to the sign-in page of ${name}` : 'Taking you to the sign-in page'
  }

  ngOnInit(): void {
    const invitation = this.invitation()
    const organization = this.organization()
    this.#entrance.go({ ...(invitation ? { invitation } : {}), ...(organization ? { organization } : {}) })
  }
}
