import { IsInt, IsString, Length, Max, Min } from 'class-validator';

/** What `POST /orders` takes. */
export class PlaceOrderDto {
  @IsString()
  @Length(1, 60)
  article!: string;

  @IsInt()
  @Min(1)
  @Max(20)
  quantity!: number;

  @IsString()
  @Length(1, 40)
  customer!: string;
}
