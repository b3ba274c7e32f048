import { DecimalPipe } from '@angular/common'
import { ChangeDetectionStrategy, Component, DestroyRef, inject, type OnInit, signal } from '@angular/core'
import { RouterLink } from '@angular/router'
import { Icon } from '../chrome/icon'
import { Skeleton } from '../chrome/skeleton'
import { type PageState, stateAfter, Trouble } from '../chrome/trouble'
import { planName } from '../plans'
import { Session } from '../session/session'
import { ExportBox } from './export-box'
import { PlanBox } from './plan-box'
import { type Amount, type Model, type Overview, SettingsApi } from './settings-api'

/** How a company's data is kept, for people who never heard of schemas. */
const KEPT: Record<Model, string> = {
  pool: 'In tables that companies share. The database itself shows each company its own rows and no others.',
  bridge: 'In tables of your own. Other companies’ rows are in other tables.',
  silo: 'In a database of your own, with a login of its own.',
}

/** What the company has, and what its administrators can do with the whole of it. */
@Component({
  selector: 'app-settings-page',
  imports: [DecimalPipe, ExportBox, Icon, PlanBox, RouterLink, Skeleton, Trouble],
  changeDetection: ChangeDetectionStrategy.OnPush,
  templateUrl: './settings-page.html',
})
export class SettingsPage implements OnInit {
  protected readonly session = inject(Session)
  private readonly api = inject(SettingsApi)
  protected readonly state = signal<PageState>('loading')
  protected readonly overview = signal<Overview | undefined>(undefined)
  protected readonly announcement = signal('')
  protected readonly planName = planName
  protected readonly kept = (model: Model) => KEPT[model]
  protected readonly limitOf = ({ limit }: Amount) =>
    limit === undefined ? 'no limit' : `of ${limit.toLocaleString('en')}`
  private timer: ReturnType<typeof setTimeout> | undefined

  constructor() {
    inject(DestroyRef).onDestroy(() => clearTimeout(this.timer))
  }

  ngOnInit(): void {
    void this.load()
  }

  protected async load(): Promise<void> {
    this.state.set('loading')
    await this.try(async () => {
      await this.session.load()
      if (!this.session.may('read:tenant')) return this.state.set('forbidden')
      this.overview.set(await this.api.overview())
      this.state.set('ready')
      this.follow()
    })
  }

  /** Looks again and again while the plan is being changed. */
  private follow(): void {
    clearTimeout(this.timer)
    const { change } = this.overview() ?? {}
    if (change && change.state !== 'failed') this.timer = setTimeout(() => void this.try(() => this.look()), 1000)
  }

  protected asked(): void {
    void this.try(() => this.look())
  }

  private async look(): Promise<void> {
    const overview = this.overview()
    if (!overview) return
    const { change: _former, ...rest } = overview
    const present = await this.api.plan()
    this.overview.set({ ...rest, ...present })
    if (present.change) return this.follow()
    // Other limits, and perhaps what was added meanwhile.
    this.overview.set(await this.api.overview())
    this.announcement.set(`Your plan is ${planName(present.plan)} now`)
  }

  private async try(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      this.overview.set(undefined)
      this.state.set(stateAfter(error))
    }
  }
}
