import { Controller, Get } from '@nestjs/common';
import { Emissions, type PipelinePlan } from 'nestjs-emissions';

@Controller('describe')
export class DescribeController {
  constructor(private readonly emissions: Emissions) {}

  /** What is wired to what. It holds no tenant's data. */
  @Get()
  plan(): PipelinePlan {
    return this.emissions.describe();
  }
}
