// #region docs
import { Injectable, Module } from '@nestjs/common';
import { defineTopics, EmissionsModule, OnEmission, type Emission } from 'nestjs-emissions';

@Injectable()
export class Register {
  readonly heard: string[] = [];

  @OnEmission('parcel.sent') // a name
  one(_payload: unknown, { name }: Emission) {
    this.heard.push(`one ${name}`);
  }

  @OnEmission('parcel.*') // one segment: parcel.sent, not parcel.return.asked
  some(_payload: unknown, { name, topic }: Emission) {
    this.heard.push(`some ${name} of ${topic}`);
  }

  @OnEmission('parcel.**') // any number of segments: parcel.return.asked, too
  all(_payload: unknown, { name }: Emission) {
    this.heard.push(`all ${name}`);
  }

  @OnEmission(['letter.sent', /\.asked$/]) // any of these
  either(_payload: unknown, { name }: Emission) {
    this.heard.push(`either ${name}`);
  }
}

@Module({
  imports: [
    EmissionsModule.forRoot({
      topics: defineTopics({ parcels: ['parcel.sent', 'parcel.lost'], letters: ['letter.sent'] }),
    }),
  ],
  providers: [Register],
})
export class AppModule {}
// #endregion
