import { ChangeDetectionStrategy, Component, input, model } from '@angular/core'
import { ROLES, type Role } from './people-api'

@Component({
  selector: 'app-role-choice',
  changeDetection: ChangeDetectionStrategy.OnPush,
  template: `
    <fieldset class="plans">
      <legend class="label">Role</legend>
      @for (choice of choices; track choice.id) {
        <label class="plan">
          <input type="radio" [name]="name()" [value]="choice.id" [checked]="role() === choice.id" (change)="role.set(choice.id)" />
          <span><b>{{ choice.name }}</b><small>{{ choice.text }}</small></span>
        </label>
      }
    </fieldset>
  `,
})
export class RoleChoice {
  /** Of the radio buttons: one choice on a page must not undo another. */
  readonly name = input.required<string>()
  readonly role = model.required<Role>()
  protected readonly choices = ROLES
}
