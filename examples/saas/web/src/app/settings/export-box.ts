import { DecimalPipe } from '@angular/common'
import { ChangeDetectionStrategy, Component, DestroyRef, inject, input, type OnInit, signal } from '@angular/core'
import { Icon } from '../chrome/icon'
import { reasonOf } from '../chrome/trouble'
import { type Export, SettingsApi } from './settings-api'

const MOMENT = new Intl.DateTimeFormat('en', { day: 'numeric', month: 'short', hour: 'numeric', minute: '2-digit' })
const DAY = new Intl.DateTimeFormat('en', { day: 'numeric', month: 'short' })

@Component({
  selector: 'app-export-box',
  imports: [DecimalPipe, Icon],
  changeDetection: ChangeDetectionStrategy.OnPush,
  template: `
    <section class="box" aria-labelledby="export-title">
      <header><h2 id="export-title">Export</h2></header>
      <div class="pad form">
        <p class="muted">All data of the company in one ZIP archive: a file of JSON Lines for each table, and a manifest with counts and checksums.</p>
        @if (problem(); as problem) {
          <div class="note bad" role="alert"><app-icon name="error" /><p>{{ problem }}</p></div>
        }
        <div class="acts">
          <button class="btn" type="button" [attr.aria-busy]="isRunning()" (click)="ask()">
            @if (isRunning()) { <span class="spin" aria-hidden="true"></span> } @else { <app-icon name="box" /> }
            Export all data
          </button>
          <span class="sr" role="status">{{ announcement() }}</span>
        </div>
      </div>
      @if (exports().length > 0) {
        <table aria-labelledby="export-title">
          <thead>
            <tr>
              <th scope="col">Made</th>
              <th scope="col" class="num hs">Rows</th>
              <th scope="col" class="num hs">Size</th>
              <th scope="col">Works until</th>
              <th scope="col"><span class="sr">Actions</span></th>
            </tr>
          </thead>
          <tbody>
            @for (one of exports(); track one.id) {
              <tr>
                <td class="nowrap"><div class="n"><b>{{ moment(one.requestedAt) }}</b></div></td>
                <td class="num hs">@if (one.rows !== undefined) { {{ one.rows | number }} }</td>
                <td class="num hs">@if (one.bytes !== undefined) { {{ size(one.bytes) }} }</td>
                <td class="nowrap">
                  @switch (one.state) {
                    @case ('done') { {{ day(one.expiresAt!) }} }
                    @case ('running') { <span class="badge you">Being made</span> }
                    @case ('failed') { <span class="badge bad">Failed</span> }
                  }
                </td>
                <td class="act">
                  @if (one.state === 'done') {
                    <span class="acts nowrap">
                      <button class="btn quiet" type="button" [attr.aria-busy]="loadingId() === one.id" [attr.aria-label]="'Download the export of ' + moment(one.requestedAt)" (click)="download(one)">
                        @if (loadingId() === one.id) { <span class="spin" aria-hidden="true"></span> } @else { <app-icon name="download" /> }
                        <span class="hs">Download</span>
                      </button>
                    </span>
                  }
                </td>
              </tr>
            }
          </tbody>
        </table>
      }
    </section>
  `,
})
export class ExportBox implements OnInit {
  /** Names the file. */
  readonly slug = input.required<string>()
  private readonly api = inject(SettingsApi)
  protected readonly exports = signal<Export[]>([])
  protected readonly problem = signal('')
  protected readonly announcement = signal('')
  protected readonly loadingId = signal('')
  protected readonly asking = signal(false)
  protected readonly isRunning = () => this.asking() || this.exports().some(({ state }) => state === 'running')
  protected readonly moment = (date: string) => MOMENT.format(new Date(date))
  protected readonly day = (date: string) => DAY.format(new Date(date))
  protected readonly size = (bytes: number) =>
    bytes < 1_000_000 ? `${Math.ceil(bytes / 1000)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`
  private timer: ReturnType<typeof setTimeout> | undefined

  constructor() {
    inject(DestroyRef).onDestroy(() => clearTimeout(this.timer))
  }

  ngOnInit(): void {
    void this.try('The exports couldn’t be loaded. Try again in a moment.', () => this.refresh())
  }

  protected async ask(): Promise<void> {
    if (this.isRunning()) return
    this.asking.set(true)
    await this.try('The export was not begun. Try again in a moment.', async () => {
      await this.api.export()
      await this.refresh()
    })
    this.asking.set(false)
  }

  protected async download(one: Export): Promise<void> {
    if (this.loadingId()) return
    this.loadingId.set(one.id)
    await this.try('The export couldn’t be downloaded. Try again in a moment.', async () => {
      const url = URL.createObjectURL(await this.api.archive(one))
      const link = document.createElement('a')
      link.href = url
      link.download = `${this.slug()}-${one.requestedAt.slice(0, 10)}.zip`
      link.click()
      // Not at once: the browser has only begun to read it.
      setTimeout(() => URL.revokeObjectURL(url), 60_000)
    })
    this.loadingId.set('')
  }

  private async refresh(): Promise<void> {
    clearTimeout(this.timer)
    const wasRunning = this.exports().some(({ state }) => state === 'running')
    this.exports.set(await this.api.exports())
    const running = this.exports().some(({ state }) => state === 'running')
    if (wasRunning && !running) this.announcement.set('The export is ready')
    if (running) this.timer = setTimeout(() => void this.try('', () => this.refresh()), 1000)
  }

  private async try(otherwise: string, work: () => Promise<void>): Promise<void> {
    this.problem.set('')
    try {
      await work()
    } catch (error) {
      this.problem.set(reasonOf(error, otherwise))
    }
  }
}
