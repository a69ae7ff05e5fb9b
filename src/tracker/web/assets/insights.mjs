// Insights: another query, period or field is shown in place.
import { navigate } from "./nav.mjs";

navigate(["main"]);
