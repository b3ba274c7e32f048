import { Component, inject } from '@angular/core'
import { Router } from '@angular/router'
import { Waiting } from './waiting.ts'

/** The SDK reads the issuer's answer from the address and goes on by itself; without an answer there is nothing to do. */
@Component({ selector: 'app-callback', imports: [Waiting], template: '<app-waiting />' })
export class CallbackPage {
  constructor() {
    const answer = new URLSearchParams(location.search)
    if (!answer.has('state')) void inject(Router).navigateByUrl('/', { replaceUrl: true })
  }
}
