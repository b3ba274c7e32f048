import { HttpErrorResponse } from '@angular/common/http'
import {
  type AfterViewInit,
  ChangeDetectionStrategy,
  Component,
  type ElementRef,
  inject,
  output,
  signal,
  viewChild,
} from '@angular/core'
import { NonNullableFormBuilder, ReactiveFormsModule, Validators } from '@angular/forms'
import { Icon } from '../chrome/icon'
import { type Item, ItemsApi } from './items-api'

type Field = 'name' | 'id' | 'quantity' | 'lowAt'

const MESSAGES: Record<Field, string> = {
  name: 'Type a name.',
  id: 'Use letters, digits, dot, hyphen and underscore only.',
  quantity: 'Type a whole number, 0 or more.',
  lowAt: 'Type a whole number, 0 or more.',
}
const COUNT = [Validators.required, Validators.min(0), Validators.max(2_147_483_647), Validators.pattern(/^\d+$/)]

@Component({
  selector: 'app-item-form',
  imports: [Icon, ReactiveFormsModule],
  changeDetection: ChangeDetectionStrategy.OnPush,
  templateUrl: './item-form.html',
})
export class ItemForm implements AfterViewInit {
  readonly created = output<Item>()
  readonly closed = output<void>()
  private readonly api = inject(ItemsApi)
  private readonly first = viewChild.required<ElementRef<HTMLInputElement>>('first')
  protected readonly form = inject(NonNullableFormBuilder).group({
    name: ['', [Validators.required, Validators.pattern(/\S/)]],
    id: ['', Validators.pattern(/^\s*[A-Za-z0-9._-]*\s*$/)],
    location: [''],
    quantity: [0, COUNT],
    lowAt: [0, COUNT],
  })
  protected readonly errors = signal<Partial<Record<Field, string>>>({})
  protected readonly problem = signal('')
  protected readonly busy = signal(false)

  ngAfterViewInit(): void {
    this.first().nativeElement.focus()
  }

  protected async submit(): Promise<void> {
    if (this.busy()) return
    const fields = (['name', 'id', 'quantity', 'lowAt'] as const).filter((field) => this.form.controls[field].invalid)
    this.show(Object.fromEntries(fields.map((field) => [field, MESSAGES[field]])))
    if (fields.length > 0) return
    const { name, id, location, quantity, lowAt } = this.form.getRawValue()
    this.busy.set(true)
    this.problem.set('')
    try {
      const code = id.trim()
      this.created.emit(
        await this.api.create({
          ...(code ? { id: code } : {}),
          name: name.trim(),
          location: location.trim(),
          quantity: Number(quantity),
          lowAt: Number(lowAt),
        }),
      )
    } catch (error) {
      const answer =
        error instanceof HttpErrorResponse ? (error.error as { code?: string; message?: string } | null) : null
      if (answer?.code === 'item_exists') this.show({ id: answer.message ?? 'This code is taken.' })
      else this.problem.set(answer?.message ?? 'The item was not saved. Try again in a moment.')
    } finally {
      this.busy.set(false)
    }
  }

  private show(errors: Partial<Record<Field, string>>): void {
    this.errors.set(errors)
    const [first] = Object.keys(errors)
    if (first) document.getElementById(first)?.focus()
  }
}
