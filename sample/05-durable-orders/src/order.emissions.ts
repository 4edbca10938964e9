import { EmissionType } from 'nestjs-emissions';

const ofOrder = { key: ({ order }: { order: number }) => String(order) };

@EmissionType('order.placed', ofOrder)
export class OrderPlaced {
  constructor(
    readonly order: number,
    readonly item: string,
  ) {}
}

@EmissionType('order.invoiced', ofOrder)
export class OrderInvoiced {
  constructor(
    readonly order: number,
    readonly invoice: number,
  ) {}
}
