import {
  ChangeDetectionStrategy,
  Component,
  computed,
  inject,
  input,
  linkedSignal,
  output,
  signal,
} from '@angular/core'
import { Icon } from '../chrome/icon'
import { reasonOf } from '../chrome/trouble'
import { PLANS, planName } from '../plans'
import { type Change, type Overview, SettingsApi } from './settings-api'

const STEPS: Record<string, string> = {
  choose: 'Getting ready',
  tier: 'Getting ready',
  destination: 'Making the new place for your data',
  move: 'Moving your data',
}

@Component({
  selector: 'app-plan-box',
  imports: [Icon],
  changeDetection: ChangeDetectionStrategy.OnPush,
  template: `
    <section class="box" aria-labelledby="plan-title">
      <header><h2 id="plan-title">Change of plan</h2></header>
      <form class="pad form" (submit)="submit($event)">
        @if (problem(); as problem) {
          <div class="note bad" role="alert"><app-icon name="error" /><p>{{ problem }}</p></div>
        } @else if (failed(); as failed) {
          <div class="note bad"><app-icon name="error" /><p>The change to {{ planName(failed.to) }} was not made. {{ failed.message }}</p></div>
        }
        @if (underWay(); as change) {
          <div class="moving" role="status">
            <p><b>{{ stepOf(change) }}</b></p>
            <p class="muted">The plan changes to {{ planName(change.to) }}. Everybody can go on working, and you can leave this page.</p>
            <span class="progress" aria-hidden="true"></span>
          </div>
        } @else {
          <fieldset class="plans wide">
            <legend class="sr">Plan</legend>
            @for (choice of choices(); track choice.id) {
              <label class="plan">
                <input type="radio" name="plan" [value]="choice.id" [checked]="chosen() === choice.id" (change)="chosen.set(choice.id)" />
                <span><b>{{ choice.name }}@if (choice.id === overview().plan) { <span class="badge you">Your plan</span> }</b><small>{{ choice.text }}</small></span>
              </label>
            }
          </fieldset>
          <p class="help">Your data moves by itself if the new plan keeps it in another place. Everybody can go on working meanwhile.</p>
          <div class="acts">
            <button class="btn primary" type="submit" [attr.aria-busy]="busy()" [attr.aria-disabled]="chosen() === overview().plan ? true : null">
              @if (busy()) { <span class="spin" aria-hidden="true"></span> }
              @if (chosen() === overview().plan) { Choose another plan } @else { Change to {{ planName(chosen()) }} }
            </button>
          </div>
        }
      </form>
    </section>
  `,
})
export class PlanBox {
  readonly overview = input.required<Overview>()
  readonly asked = output<void>()
  private readonly api = inject(SettingsApi)
  protected readonly chosen = linkedSignal(() => this.overview().plan)
  protected readonly problem = signal('')
  protected readonly busy = signal(false)
  protected readonly planName = planName
  protected readonly choices = computed(() => {
    const available = new Set(this.overview().plans.map(({ id }) => id))
    return PLANS.filter(({ id }) => available.has(id))
  })
  protected readonly underWay = computed(() => this.changeIf((state) => state !== 'failed'))
  protected readonly failed = computed(() => this.changeIf((state) => state === 'failed'))
  protected readonly stepOf = ({ state, step = '' }: Change) =>
    state === 'compensating' ? 'Putting everything back' : (STEPS[step] ?? 'Nearly done')

  protected async submit(event: Event): Promise<void> {
    event.preventDefault()
    if (this.busy() || this.chosen() === this.overview().plan) return
    this.busy.set(true)
    this.problem.set('')
    try {
      await this.api.changePlan(this.chosen())
      this.asked.emit()
    } catch (error) {
      this.problem.set(reasonOf(error, 'The plan was not changed. Try again in a moment.'))
    } finally {
      this.busy.set(false)
    }
  }

  private changeIf(matches: (state: Change['state']) => boolean): Change | undefined {
    const { change } = this.overview()
    return change && matches(change.state) ? change : undefined
  }
}
